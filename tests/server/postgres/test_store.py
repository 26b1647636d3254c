"""What every store does, on PostgreSQL; and whose time it is."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from quatrain.server.store import PostgresURL, Store, StoreUnavailableError, store_on, wall_clock_ms
from quatrain.server.store.postgres import clock as postgres_clock
from tests._require import import_for

from ..test_store import add_tenant, beat, last_beat, tenants, together

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


async def test_answers_leave_after_commit(store: Store) -> None:
    """What was answered can be read at once."""
    assert await store.write(beat, 7) == 0
    assert await store.read(last_beat, None) == 7


async def test_one_bad_operation_takes_nobody_with_it(store: Store) -> None:
    """It alone fails, and nothing of it stays; the same for what the database refuses."""

    def poisoned(connection: Any, now: int, _: None) -> None:
        connection.execute("INSERT INTO realms (tenant, mode) VALUES ('poison', 'test')")
        raise ZeroDivisionError

    outcomes = await together(
        store, (add_tenant, "a"), (poisoned, None), (add_tenant, "a"), (add_tenant, "b")
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert [type(None), ZeroDivisionError, psycopg.errors.UniqueViolation, type(None)] == kinds
    assert await store.read(tenants, None) == ["a", "b"]


async def test_who_passes_over_an_error_is_not_told_of_success(store: Store) -> None:
    """The transaction is lost, and its COMMIT would say so in a whisper."""

    def careless(connection: Any, now: int, _: None) -> None:
        add_tenant(connection, now, "a")
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT nonsense")

    with pytest.raises(StoreUnavailableError, match="rolled back"):
        await store.write(careless, None)
    assert await store.read(tenants, None) == []


async def test_readers_can_not_write(store: Store) -> None:
    """A query that changes something is refused."""
    with pytest.raises(StoreUnavailableError):
        await store.read(beat, 7)
    assert await store.read(last_beat, None) == 0


async def test_a_nul_is_refused_and_loses_nothing(store: Store) -> None:
    """PostgreSQL's text can't hold one: a 422, for that operation alone."""
    outcomes = await together(store, (add_tenant, "a"), (add_tenant, "x\0y"), (add_tenant, "b"))
    assert (422, "validation_failed") == (outcomes[1].status, outcomes[1].code)
    assert "NUL" in str(outcomes[1])
    assert await store.read(tenants, None) == ["a", "b"]


async def test_the_time_is_the_databases(
    postgres_url: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However wrong the clock of this machine is."""
    monkeypatch.setattr("quatrain.server.store.postgres.clock.wall_clock_ms", lambda: 0)
    with store_on(postgres_url) as store:
        known = store.now_ms()
        now = await store.write(lambda connection, now, _: now, None)
        assert 1_700_000_000_000 < known <= now
        assert now > 1_700_000_000_000
        assert store.now_ms() >= now


def test_the_time_is_the_databases_at_once(
    postgres_url: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was asked of it: a machine whose clock is off prunes what it should."""
    day = 86_400_000
    monkeypatch.setattr(postgres_clock, "wall_clock_ms", lambda: wall_clock_ms() + day)
    with store_on(postgres_url) as store:
        assert store.now_ms() < wall_clock_ms() + day // 2
