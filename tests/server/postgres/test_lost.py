"""Connections that end, and a database that is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import PostgresURL, Store, StoreUnavailableError, store_on
from quatrain.server.store.postgres.connection import connect
from quatrain.server.store.postgres.errors import is_passing, of_environment
from tests._postgres import PostgresServer
from tests._require import import_for

from .._support import away, granted, make_realm
from ..test_store import add_tenant, beat, tenants
from ._support import FOREVER

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


async def test_a_connection_lost_before_commit_costs_nothing(store: Store) -> None:
    """It surely has not happened: it is done again on another connection, once."""
    times = []

    def cut_off(connection: Any, now: int, name: str) -> None:
        add_tenant(connection, now, name)
        times.append(name)
        if len(times) == 1:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    await store.write(cut_off, "a")
    assert (["a", "a"], ["a"]) == (times, await store.read(tenants, None))


async def test_a_connection_lost_in_commit_is_told_as_unknown(store: Store) -> None:
    """Nobody is told that it happened, nor that it did not."""

    def arm(connection: Any, now: int, _: None) -> None:
        connection.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON realms DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION die()"
        )

    await store.write(arm, None)
    with pytest.raises(StoreUnavailableError, match="not known"):
        await store.write(add_tenant, "a")
    assert await store.write(beat, 1) == 0


async def test_idle_sessions_that_the_database_ends_cost_nothing(
    postgres: PostgresServer, postgres_url: PostgresURL
) -> None:
    """As some that are looked after by others do."""
    name = postgres_url.secret.reveal().rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '100ms'")
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"
    with store_on(postgres_url) as store:
        realm = await asyncio.to_thread(make_realm, store, "a", "test")
        for key in "kl":
            await granted(Ledger(store), EffectId(realm, "ns", key))
            await store.write(add_tenant, key)
            await store.read(tenants, None)
            async with asyncio.timeout(FOREVER):
                while postgres.execute(sessions) != [(0,)]:
                    await asyncio.sleep(0.02)
        assert ["a", "k", "l"] == await store.read(tenants, None)


@pytest.mark.parametrize("state", ["25P03", "25P04", "57P05"])
def test_what_the_database_ends_by_itself_may_be_tried_again(state: str) -> None:
    """And has words for who is told."""
    exc = psycopg.errors.lookup(state)()
    assert is_passing(exc)
    assert of_environment(exc) is not None


async def test_work_waits_for_a_database_that_is_restarted(
    store: Store, postgres: PostgresServer
) -> None:
    """As if it had crashed: reads and writes wait, and what was answered is there."""
    await store.write(add_tenant, "before")
    await store.read(tenants, None)
    postgres.stop("immediate")
    try:
        write = asyncio.create_task(store.write(add_tenant, "meanwhile"))
        read = asyncio.create_task(store.read(tenants, None))
        await asyncio.sleep(0)
    finally:
        await asyncio.to_thread(postgres.start)
    await asyncio.gather(write, read)
    assert "before" in await read
    assert ["before", "meanwhile"] == await store.read(tenants, None)


async def test_a_database_that_stays_away_is_unavailable(
    store: Store, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told in words that hold no address, and over when it is back."""
    for module in ("store", "writer"):
        monkeypatch.setattr(f"quatrain.server.store.postgres.{module}.PATIENCE", 0.0)
    await store.read(tenants, None)
    await store.write(add_tenant, "a")
    postgres.stop("immediate")
    try:
        for work in (store.write(add_tenant, "b"), store.read(tenants, None), store.probe()):
            with pytest.raises(StoreUnavailableError, match="the connection to the database"):
                await work
    finally:
        await asyncio.to_thread(postgres.start)
    assert ["a"] == await store.read(tenants, None)
    assert await store.write(beat, 1) == 0


@pytest.mark.parametrize("work", ["read", "write"])
async def test_an_outage_is_waited_for_once(
    postgres_url: PostgresURL, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """Not by each of those who have waited for their turn as well, one after the other."""
    attempts: list[None] = []

    def counted(*args: Any, **options: Any) -> Any:
        attempts.append(None)
        return connect(*args, **options)

    for module in ("store", "writer"):
        monkeypatch.setattr(f"quatrain.server.store.postgres.{module}.PATIENCE", 1.0)
    with store_on(postgres_url, readers=1, max_batch=1) as store:
        monkeypatch.setattr("quatrain.server.store.postgres.store.connect", counted)
        with away(postgres_url):
            calls = [getattr(store, work)(tenants, None) for _ in range(10)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {StoreUnavailableError} == {type(each) for each in outcomes}
    # one goes on trying, ever less often; ten would have tried ten times as often
    assert len(attempts) < 30


async def test_what_failed_while_it_was_away_is_over_once_it_is_reached(
    store: Store, postgres_url: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe is enough: no real change comes to a platform that says it is not ready."""
    monkeypatch.setattr("quatrain.server.store.postgres.writer.PATIENCE", 0.0)
    with away(postgres_url):
        for work in (
            store.write(add_tenant, "a"),
            Ledger(store).lease(EffectId(1, "ns", "k")),
        ):
            with pytest.raises(StoreUnavailableError):
                await work
    assert 2 == len(await asyncio.to_thread(store.troubles))
    await store.probe()
    assert [] == await asyncio.to_thread(store.troubles)
