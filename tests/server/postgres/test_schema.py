"""Making tables, and bringing them up to date."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from quatrain.errors import ConfigError
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import PostgresURL, Store, migrations, queries, store_on
from quatrain.server.store.postgres.connection import PostgresConnection, connect
from tests._postgres import PostgresServer
from tests._require import import_for

from .._support import as_argument, granted, make_realm
from ..test_store import tenants
from ._support import FOREVER

import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


_OPEN = """
import sys
from quatrain.server.store import store_on
sys.stdin.readline()  # all at once
with store_on(sys.argv[1]) as store:
    store.write_blocking(lambda c, now, _: c.execute(
        "INSERT INTO realms (tenant, mode) VALUES (?, 'test')", (sys.argv[2],)) and None, None)
"""


@pytest.fixture
def empty(postgres: PostgresServer) -> Any:
    name = postgres.create()
    yield PostgresURL.of(postgres.url(name))
    postgres.drop(name)


def test_processes_may_race_for_the_first_step(empty: PostgresURL) -> None:
    """Each step runs once, and all of them can work."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _OPEN, as_argument(empty), str(number)],
            stdin=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    assert [racer.wait(60) for racer in racers] == [0, 0, 0]
    with store_on(empty) as store:
        assert ["0", "1", "2"] == sorted(store.read_blocking(tenants, None))


def test_who_waited_for_the_first_step_sees_it(
    empty: PostgresURL, postgres: PostgresServer
) -> None:
    """However isolated transactions are by default."""
    name = empty.secret.reveal().rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    first, second = connect(empty, idle=FOREVER), store_on(empty)
    with ThreadPoolExecutor() as threads, contextlib.closing(first):
        migrations.begin_migrated(PostgresConnection(first))
        opening = threads.submit(second.open)
        while postgres.execute(waiting) == [(0,)]:
            assert not opening.done()
        first.execute("COMMIT")
        opening.result()
    with second:
        assert [] == second.troubles()


def test_a_newer_database_is_refused(store: Store, postgres_url: PostgresURL) -> None:
    """Its rows may mean something else."""
    statement = "INSERT INTO schema_versions (version, name) VALUES (99, 'the future')"
    store.write_blocking(lambda connection, _now, _: connection.execute(statement) and None, None)
    with pytest.raises(ConfigError, match="schema version 99"):
        store_on(postgres_url).open()


def test_a_step_that_fails_leaves_nothing(
    empty: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are one transaction."""
    steps = queries.migrations()
    broken = (*steps, (steps[-1][0] + 1, "broken", ("CREATE TABLE half (id {int64})", "NONSENSE")))
    monkeypatch.setattr(queries, "migrations", lambda: broken)
    with pytest.raises(ConfigError):
        store_on(empty).open()
    monkeypatch.undo()
    with store_on(empty) as store:
        found = store.read_blocking(
            lambda c, _now, _: c.execute("SELECT max(version) FROM schema_versions").fetchone(),
            None,
        )
    assert (migrations.newest(),) == found


async def test_who_may_not_make_tables_may_use_them(
    postgres_url: PostgresURL, postgres: PostgresServer
) -> None:
    """Another user has made them, as `quatrain migrate` is for."""
    name = str(postgres_url).rpartition("/")[2]
    for statement in (
        "CREATE ROLE clerk LOGIN",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
    ):
        postgres.execute(statement, database=name)
    try:
        with store_on(postgres.url(name).replace("postgres@", "clerk@")) as store:
            effect = EffectId(make_realm(store, "acme", "test"), "ns", "k")
            holder, _ = await granted(Ledger(store), effect)
            await Ledger(store).commit(holder, result="1")
    finally:
        postgres.execute("DROP OWNED BY clerk", database=name)
        postgres.execute("DROP ROLE clerk", database=name)
