"""The store: group commit, failures that stay where they happen, closing, forking."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quatrain.errors import ConfigError
from quatrain.server.store import SqliteStore, StoreUnavailableError
from quatrain.server.store.sqlite.files import DatabaseFile

from ._support import START, sqlite_lock_is_held

pytestmark = pytest.mark.on_file

Connection = sqlite3.Connection


def beat(connection: Connection, now: int, at: int) -> int:
    """Write a number, answer with the one that stood there."""
    (before,) = connection.execute("SELECT at FROM heartbeat").fetchone()
    connection.execute("UPDATE heartbeat SET at = ?", (at,))
    return int(before)


def last_beat(connection: Connection, now: int, _: None) -> int:
    (at,) = connection.execute("SELECT at FROM heartbeat").fetchone()
    return int(at)


def add_tenant(connection: Connection, now: int, name: str) -> None:
    connection.execute("INSERT INTO realms (tenant, mode) VALUES (?, 'test')", (name,))


def tenants(connection: Connection, now: int, _: None) -> list[str]:
    return [name for (name,) in connection.execute("SELECT tenant FROM realms ORDER BY id")]


class Blocker:
    """Keeps the writing thread busy until it is let go, so that what follows queues up."""

    def __init__(self, store: SqliteStore) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        store.write_unawaited(self._block, None)
        self.entered.wait()

    def _block(self, connection: Connection, now: int, _: None) -> None:
        self.entered.set()
        self.release.wait()


async def queued(store: SqliteStore, number: int) -> None:
    """Wait until so many changes are queued."""
    while store.waiting < number:
        await asyncio.sleep(0)


async def together(store: SqliteStore, *writes: tuple[Callable[..., Any], Any]) -> list[Any]:
    """Run operations in one transaction; what they raise is returned."""
    blocker = Blocker(store)
    tasks = [asyncio.create_task(store.write(*write)) for write in writes]
    await queued(store, len(writes))
    blocker.release.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


# -- reading and writing --------------------------------------------------------------------------


async def test_a_write_can_be_read_as_soon_as_it_is_answered(store: SqliteStore) -> None:
    """Answers leave after COMMIT."""
    assert await store.write(beat, 7) == 0
    assert await store.read(last_beat, None) == 7


def test_plain_code_may_read_and_write_too(store: SqliteStore) -> None:
    """Without an event loop."""
    store.write_blocking(beat, 7)
    assert store.read_blocking(last_beat, None) == 7


async def test_what_queues_up_is_written_in_one_transaction(store: SqliteStore) -> None:
    """In the order it came, at one time."""

    def look(connection: Connection, now: int, _: None) -> tuple[int, int]:
        return connection.total_changes, now

    outcomes = await together(store, (look, None), (beat, 1), (look, None), (beat, 2), (look, None))
    changes = [outcome[0] for outcome in outcomes[::2]]
    assert [changes[0], changes[0] + 1, changes[0] + 2] == changes
    assert {START} == {outcome[1] for outcome in outcomes[::2]}


async def test_one_bad_operation_takes_nobody_with_it(store: SqliteStore) -> None:
    """It alone fails, and nothing of it stays, though it had written before it failed."""

    def poisoned(connection: Connection, now: int, _: None) -> None:
        connection.execute("INSERT INTO realms (tenant, mode) VALUES ('poison', 'test')")
        raise ZeroDivisionError

    outcomes = await together(store, (add_tenant, "a"), (poisoned, None), (add_tenant, "b"))
    assert [type(outcome) for outcome in outcomes] == [type(None), ZeroDivisionError, type(None)]
    assert await store.read(tenants, None) == ["a", "b"]


async def test_a_broken_constraint_takes_nobody_with_it(store: SqliteStore) -> None:
    """The same for what the database refuses."""
    outcomes = await together(store, (add_tenant, "a"), (add_tenant, "a"), (add_tenant, "b"))
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [type(None), sqlite3.IntegrityError, type(None)]
    assert await store.read(tenants, None) == ["a", "b"]


async def test_readers_can_not_write(store: SqliteStore) -> None:
    """A query that changes something is refused."""
    with pytest.raises(StoreUnavailableError):
        await store.read(beat, 7)
    assert await store.read(last_beat, None) == 0


async def test_a_failed_read_costs_only_its_connection(store: SqliteStore) -> None:
    """The next read works."""

    def nonsense(connection: Connection, now: int, _: None) -> None:
        connection.execute("SELECT nonsense FROM heartbeat")

    with pytest.raises(sqlite3.OperationalError):
        await store.read(nonsense, None)
    assert await store.read(last_beat, None) == 0


async def test_a_cancelled_waiter_disturbs_nobody(store: SqliteStore) -> None:
    """What was queued is written; the others get their answers."""
    blocker = Blocker(store)
    cancelled = asyncio.create_task(store.write(beat, 1))
    other = asyncio.create_task(store.write(beat, 2))
    await queued(store, 2)
    cancelled.cancel()
    blocker.release.set()
    assert await other == 1


def test_loops_in_several_threads_may_share_a_store(store: SqliteStore) -> None:
    """Each gets its own answers."""
    answers: list[list[None]] = []

    async def write(thread: int) -> list[None]:
        return await asyncio.gather(*(store.write(add_tenant, f"{thread}-{i}") for i in range(50)))

    threads = [
        threading.Thread(target=lambda n=n: answers.append(asyncio.run(write(n)))) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[None] * 50] * 4 == answers
    assert len(store.read_blocking(tenants, None)) == 200


# -- what can go wrong around it ------------------------------------------------------------------


async def test_a_full_disk_is_unavailable_and_passes(store: SqliteStore) -> None:
    """Nothing of the batch stays; when there is room again, writing goes on."""

    def fill(connection: Connection, now: int, _: None) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def big(connection: Connection, now: int, name: str) -> None:
        add_tenant(connection, now, name + "x" * 100_000)

    await store.write(fill, None)
    outcomes = await together(store, (add_tenant, "a"), (big, "b"), (beat, 1))
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 3
    assert {"the disk is full"} == {str(outcome) for outcome in outcomes}
    # the limit went with the connection that failed
    await store.write(big, "c")
    assert len(await store.read(tenants, None)) == 1


async def test_a_commit_that_fails_is_unavailable(store: SqliteStore) -> None:
    """Nobody is told of a success that COMMIT then takes back."""

    def defer(connection: Connection, now: int, _: None) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute(
            "INSERT INTO effect_events (effect_id, type, at, fence_token) VALUES (99, '', 0, 1)"
        )

    outcomes = await together(store, (defer, None), (add_tenant, "a"))
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 2
    assert await store.read(tenants, None) == []
    assert await store.write(beat, 1) == 0


async def test_a_database_locked_by_others_is_unavailable(
    store: SqliteStore, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ignores the lock file and holds SQLite's lock."""
    pragmas = ("PRAGMA busy_timeout = 0", "PRAGMA synchronous = FULL")
    monkeypatch.setattr("quatrain.server.store.sqlite.files._PRAGMAS", pragmas)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked by another program"):
        await store.write(beat, 1)
    other.execute("ROLLBACK")
    other.close()
    assert await store.write(beat, 1) == 0


@pytest.mark.parametrize("replace", [False, True])
async def test_a_database_that_is_gone_is_unavailable(
    store: SqliteStore, database: Path, replace: bool
) -> None:
    """Not a fresh, empty ledger: with that, everything would happen a second time."""
    moved = database.rename(database.with_name("moved.db"))
    if replace:
        database.touch()
    for request in (store.write(beat, 1), store.read(last_beat, None), store.probe()):
        with pytest.raises(StoreUnavailableError, match="removed or replaced"):
            await request
    assert database.exists() is replace
    moved.rename(database)
    assert await store.write(beat, 1) == 0


async def test_too_many_waiting_are_turned_away(database: Path) -> None:
    """The queue has a bound."""
    with SqliteStore(database, max_waiting=2) as store:
        blocker = Blocker(store)
        waiting = [asyncio.create_task(store.write(beat, number)) for number in (1, 2, 3)]
        await queued(store, 2)
        blocker.release.set()
        first, second, third = await asyncio.gather(*waiting, return_exceptions=True)
        assert (first, second) == (0, 1)
        assert isinstance(third, StoreUnavailableError)
        assert str(third) == "2 changes are waiting already"


async def test_a_stuck_database_turns_new_work_away(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process may hold the lock for ever; requests should not pile up behind it."""
    blocker = Blocker(store)
    monkeypatch.setattr("quatrain.server.store.writer._STUCK", -1.0)
    task = asyncio.create_task(store.write(beat, 1))
    await asyncio.sleep(0)
    blocker.release.set()
    with pytest.raises(StoreUnavailableError, match="locked"):
        await task


# -- opening and closing --------------------------------------------------------------------------


async def test_closing_writes_what_is_queued(database: Path) -> None:
    """And answers it."""
    store = SqliteStore(database)
    store.open()
    blocker = Blocker(store)
    waiting = [asyncio.create_task(store.write(add_tenant, name)) for name in "abc"]
    await queued(store, 3)
    closing = asyncio.create_task(asyncio.to_thread(store.close))
    await asyncio.sleep(0)
    blocker.release.set()
    await closing
    assert await asyncio.gather(*waiting) == [None] * 3
    with SqliteStore(database) as again:
        assert await again.read(tenants, None) == ["a", "b", "c"]


async def test_a_closed_store_is_unavailable(store: SqliteStore) -> None:
    """For everything; closing again is fine, and it can be opened again."""
    store.close()
    store.close()
    for request in (store.write(beat, 1), store.read(last_beat, None)):
        with pytest.raises(StoreUnavailableError, match="closed"):
            await request
    store.open()
    assert await store.write(beat, 1) == 0


def test_opening_twice_is_fine(store: SqliteStore) -> None:
    """One writer, whoever opened it."""
    threads = threading.active_count()
    store.open()
    assert threading.active_count() == threads


def test_closing_leaves_one_whole_file(database: Path) -> None:
    """No write-ahead log stays behind: the file can be copied."""
    with SqliteStore(database) as store:
        store.write_blocking(beat, 7)
    assert sorted(path.name for path in database.parent.iterdir()) == [
        "quatrain.db",
        "quatrain.db-lock",
    ]


def test_the_database_is_its_owners(store: SqliteStore, database: Path) -> None:
    """Mode 0600 for every file: inputs and results are private."""
    store.write_blocking(beat, 1)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in database.parent.iterdir()}
    assert modes == {0o600}


def test_a_connection_never_makes_a_database(store: SqliteStore, database: Path) -> None:
    """Only opening the store does: what is missing then has been taken away."""
    file = DatabaseFile(database)
    database.rename(database.with_name("moved"))
    with pytest.raises(sqlite3.OperationalError):
        file.connect()
    assert not database.exists()


def test_stores_of_one_process_leave_each_other_their_locks(
    store: SqliteStore, database: Path
) -> None:
    """Closing any descriptor of a file drops all of a process's locks on it: none is opened."""
    store.write_blocking(beat, 1)
    with SqliteStore(database) as other:
        assert other.write_blocking(beat, 2) == 1
        assert sqlite_lock_is_held(database)
    assert sqlite_lock_is_held(database)


def test_every_answer_is_on_the_disk(database: Path) -> None:
    """The connections that write wait for the disk at each COMMIT."""
    with SqliteStore(database):
        connection = DatabaseFile(database).connect()
        journal, synchronous = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        )
        connection.close()
    assert (journal, synchronous) == ("wal", 2)


@pytest.mark.parametrize("name", ["", ".", "no/such/dir/q.db", "text"])
def test_an_unusable_path_is_a_config_error(tmp_path: Path, name: str) -> None:
    """A directory, a missing directory, a file that is something else; the message names it."""
    (tmp_path / "text").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(ConfigError, match="can't be used"):
        SqliteStore(tmp_path / name).open()
    assert (tmp_path / "text").read_text().startswith("not a database")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_database_is_a_config_error(database: Path) -> None:
    """Told when opening, not at the first lease."""
    with SqliteStore(database):
        pass
    database.chmod(0o400)
    with pytest.raises(ConfigError):
        SqliteStore(database).open()
