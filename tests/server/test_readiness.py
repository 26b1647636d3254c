"""``/readyz``: work comes only where it can be done, and otherwise it is said why."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from quatrain import __version__
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import PostgresURL, StoreUnavailableError, migrations
from quatrain.server.store.sqlite import files
from quatrain.server.store.sqlite import store as sqlite_store

from ._support import Client, away


async def ask(client: Client, path: str = "readyz") -> tuple[int, Any]:
    response = await client.http.get(f"http://localhost/{path}")
    return response.status_code, response.json()


async def reasons(client: Client) -> list[str]:
    """Why it is not ready."""
    status, content = await ask(client)
    assert (503, "unavailable", __version__) == (status, content["status"], content["version"])
    found: list[str] = content["reasons"]
    return found


async def refused(app: Starlette, database: Path | PostgresURL) -> None:
    """A lease that could not be written; then all is well again."""
    with full(database), pytest.raises(StoreUnavailableError):
        await Ledger(app.state.store).lease(EffectId(1, "ns", "k"))


@contextmanager
def full(database: Path | PostgresURL) -> Iterator[None]:
    """While no effect can be written."""
    if isinstance(database, Path):
        with away(database):
            yield
        return
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(database.secret.reveal(), autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON effects EXECUTE FUNCTION full_disk()"
        )
        yield
        connection.execute("DROP TRIGGER full_disk ON effects")


async def test_ready(client: Client) -> None:
    """With the version of what answers."""
    assert (200, {"status": "ready", "version": __version__, "reasons": []}) == await ask(client)


@pytest.mark.on_file
async def test_a_full_disk(
    client: Client, app: Starlette, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs room is refused while the smallest write still fits: it is not ready."""
    await client.lease("k")
    app.state.store.close()
    connection = sqlite3.connect(database)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    full = (*files._PRAGMAS, f"PRAGMA max_page_count = {pages}")
    monkeypatch.setattr(files, "_PRAGMAS", full)
    app.state.store.open()
    assert 200 == (await ask(client))[0]
    big = await client.post("/effects/ns/lease", effectKey="big", inputJson="x" * 60_000)

    assert 503 == big.status_code
    assert (200, {"status": "ok"}) == await ask(client, "healthz")
    assert ["changes were not written lately: the disk is full"] == await reasons(client)
    # and again, though the probe has written since
    assert ["changes were not written lately: the disk is full"] == await reasons(client)


async def test_a_change_that_is_written_makes_it_ready(
    client: Client, app: Starlette, database: Path | PostgresURL
) -> None:
    """What was wrong is over; that changes of other kinds are written says nothing of it."""
    await refused(app, database)
    assert 1 == len(await reasons(client))
    app.state.keys.create(name="other")
    assert 1 == len(await reasons(client))
    await client.lease("k")
    assert 200 == (await ask(client))[0]


async def test_a_failure_is_no_news_for_ever(
    client: Client, app: Starlette, database: Path | PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no work comes nothing is refused: after a while it is let to try again."""
    await refused(app, database)
    assert 503 == (await ask(client))[0]
    monkeypatch.setattr("quatrain.server.store.writer._REMEMBERED", -1.0)
    assert 200 == (await ask(client))[0]


@pytest.mark.on_file
async def test_a_disk_that_is_nearly_full(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is refused."""
    monkeypatch.setattr(sqlite_store, "_ENOUGH", 2**62)
    (reason,) = await reasons(client)
    assert reason.startswith("the disk is nearly full: ")


async def test_a_database_that_is_gone(client: Client, database: Path | PostgresURL) -> None:
    """The probe says so; when it is back, the next probe is enough."""
    of_file = "the database file was removed or replaced while in use"
    reason = of_file if isinstance(database, Path) else "the connection to the database was lost"
    with away(database):
        assert [reason] == await reasons(client)
    assert 200 == (await ask(client))[0]


@pytest.mark.on_file
async def test_a_disk_that_can_not_be_looked_at(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is a reason like others."""

    def fail(_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.DatabaseFile, "free_bytes", fail)
    (reason,) = await reasons(client)
    assert "Input/output error" in reason


async def test_a_schema_that_a_newer_one_has_changed(client: Client, app: Starlette) -> None:
    """The rows may mean something else."""
    app.state.store.write_blocking(
        lambda connection, _now, _: (
            connection.execute("INSERT INTO schema_versions VALUES (99, 'the future')").rowcount
        ),
        None,
    )
    (reason,) = await reasons(client)
    assert f"schema version 99, and this quatrain works with {migrations.newest()}" in reason


async def test_a_database_that_says_nothing(
    client: Client, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bounded time."""

    async def silent() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(app.state.store, "probe", silent)
    monkeypatch.setattr("quatrain.server.health._PROBE_TIMEOUT", 0.0)
    assert ["the database does not answer"] == await reasons(client)


async def test_it_is_only_asked(client: Client) -> None:
    """GET and HEAD."""
    statuses = [
        (await client.http.request(method, "http://localhost/readyz")).status_code
        for method in ("HEAD", "POST", "DELETE")
    ]
    assert [200, 405, 405] == statuses
