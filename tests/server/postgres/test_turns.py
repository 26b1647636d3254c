"""Operations of several processes: side by side, in turns, in the way of each other."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import Store
from quatrain.server.store.connection import side_by_side
from tests._require import import_for

from .._batching import in_one_batch
from .._support import granted, make_realm
from ..test_store import Blocker, add_tenant, beat, queued, tenants
from ._support import FOREVER, until

import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


async def test_operations_take_turns_among_processes(store: Store, other: Store) -> None:
    """One that reads and then writes is alone; the ledger's do not wait for it."""
    realm = make_realm(store, "acme", "test")
    blocker = Blocker(store)
    second = asyncio.create_task(other.write(tenants, None))
    holder, _ = await granted(Ledger(other), EffectId(realm, "ns", "k"))
    assert holder.fence_token == 1
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    try:
        await until(other, waiting)
        assert not second.done()
    finally:
        blocker.release.set()
    assert ["acme"] == await second


async def test_a_deadlock_costs_nobody_his_write(store: Store, other: Store, marked: None) -> None:
    """Batches that lock rows against each other are done again, one operation at a time."""
    for name in "ab":
        await store.write(add_tenant, name)
    both = threading.Barrier(2)
    first_time = {"ab": True, "ba": True}

    @side_by_side(lambda _: ())
    def lock_both(connection: Any, now: int, order: str) -> str:
        statement = "UPDATE realms SET mode = mode WHERE tenant = ?"
        connection.execute(statement, (order[0],))
        if first_time[order]:
            first_time[order] = False
            both.wait(FOREVER)
        connection.execute(statement, (order[1],))
        return order

    @side_by_side(lambda _: ())
    def note(connection: Any, now: int, name: str) -> None:
        add_tenant(connection, now, name)

    answers = await asyncio.gather(
        in_one_batch(store, store.write(note, "c"), store.write(lock_both, "ab")),
        in_one_batch(other, other.write(note, "d"), other.write(lock_both, "ba")),
    )
    assert [[None, "ab"], [None, "ba"]] == answers
    assert ["a", "b", "c", "d"] == sorted(await store.read(tenants, None))


async def test_a_batch_locks_rows_in_their_order(store: Store, marked: None) -> None:
    """Whatever the order they came in; what concerns one row stays in its order."""
    seen = []

    @side_by_side(lambda argument: argument[:1])
    def note(connection: Any, now: int, argument: tuple[str, int]) -> None:
        seen.append(argument)

    wanted = [("b", 1), ("a", 2), ("b", 3), ("a", 4)]
    await in_one_batch(store, *(store.write(note, each) for each in wanted))
    assert [("a", 2), ("a", 4), ("b", 1), ("b", 3)] == seen


async def test_a_stopped_process_holds_nobody_up(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database ends a transaction that stands still in its turn; its write is done again."""
    monkeypatch.setattr("quatrain.server.store.postgres.store.WRITER_IDLE", 0.1)
    blocker = Blocker(store)
    stopped = asyncio.create_task(store.write(add_tenant, "a"))
    await queued(store, 1)
    assert await other.write(beat, 1) == 0
    blocker.release.set()
    await stopped
    assert ["a"] == await store.read(tenants, None)
