"""The store on PostgreSQL: turns, conflicts, lost connections, restarts, and what is heard."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from quatrain.errors import ConfigError
from quatrain.server import Settings
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import (
    PostgresURL,
    Store,
    StoreUnavailableError,
    migrations,
    queries,
    store_on,
    wall_clock_ms,
)
from quatrain.server.store.connection import SIDE_BY_SIDE, side_by_side
from quatrain.server.store.postgres import clock as postgres_clock
from quatrain.server.store.postgres.connection import PostgresConnection, connect
from quatrain.server.store.postgres.errors import is_passing, of_environment
from quatrain.server.store.postgres.sql import numbered, translated
from quatrain.server.vendo.secretkey import key_source
from tests._postgres import PostgresServer
from tests._require import import_for

from ._support import ServerClock, as_argument, away, granted, make_realm
from .test_store import Blocker, add_tenant, beat, last_beat, queued, tenants, together

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once

FOREVER = 60.0
"""Seconds for what must happen, however slow the machine is."""


@pytest.fixture
def store(postgres_url: PostgresURL, clock: ServerClock) -> Any:
    with store_on(postgres_url, now_ms=clock) as store:
        yield store


@pytest.fixture
def other(postgres_url: PostgresURL, clock: ServerClock) -> Any:
    """A second process's."""
    with store_on(postgres_url, now_ms=clock) as store:
        yield store


@pytest.fixture
def marked() -> Any:
    """Operations that a test marks as right side by side are forgotten after it."""
    before = dict(SIDE_BY_SIDE)
    yield
    SIDE_BY_SIDE.clear()
    SIDE_BY_SIDE.update(before)


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


def test_the_time_is_the_databases_at_once(
    postgres_url: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was asked of it: a machine whose clock is off prunes what it should."""
    day = 86_400_000
    monkeypatch.setattr(postgres_clock, "wall_clock_ms", lambda: wall_clock_ms() + day)
    with store_on(postgres_url) as store:
        assert store.now_ms() < wall_clock_ms() + day // 2


async def until(store: Store, statement: str) -> None:
    """Wait until it answers a number above 0."""
    async with asyncio.timeout(FOREVER):
        while not await store.read(lambda c, _now, _: c.execute(statement).fetchone()[0], None):
            await asyncio.sleep(0)


async def in_one_batch(store: Store, *writes: tuple[Any, Any]) -> list[Any]:
    """Run operations that may run side by side in one transaction."""
    entered, release = threading.Event(), threading.Event()

    @side_by_side(lambda _: ())
    def block(connection: Any, now: int, _: None) -> None:
        entered.set()
        release.wait()

    store.write_unawaited(block, None)
    await asyncio.to_thread(entered.wait)
    tasks = [asyncio.create_task(store.write(*write)) for write in writes]
    await queued(store, len(writes))
    release.set()
    return await asyncio.gather(*tasks)


# -- one text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT :a, ?", "SELECT %(a)s, %s"),
        ("SELECT ':a ? % ''x'' :b', :b", "SELECT ':a ? %% ''x'' :b', %(b)s"),
        ('SELECT "a:b", x::text', 'SELECT "a:b", x::text'),
        ("x LIKE '% ' || :a || ' %'", "x LIKE '%% ' || %(a)s || ' %%'"),
        ("SELECT 7 % 2", "SELECT 7 %% 2"),
        ("instr(effect_key, :key) > 0", "strpos(effect_key, %(key)s) > 0"),
        ("'instr('", "'instr('"),
    ],
)
def test_a_statement_is_translated(text: str, expected: str) -> None:
    """Names and marks become the driver's; quoted text and casts stay."""
    assert expected == translated(text).text


def test_a_statement_is_numbered() -> None:
    """As the server takes it, which knows neither names nor doubled signs."""
    text = "SELECT :b::int, :a % 2, ':a', :b"
    assert "SELECT $2::int, $1 % 2, ':a', $2" == numbered(text, ("a", "b"))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("INSERT INTO vendo_events (a) VALUES (1)", "vendo_events"),
        ("UPDATE webhook_deliveries SET a = 1", "webhook_deliveries"),
        ("SELECT 1 FROM vendo_events", None),
    ],
)
def test_it_is_known_what_is_written(text: str, table: str | None) -> None:
    """Somebody may wait for it."""
    assert table == translated(text).table


# -- what stores do -------------------------------------------------------------------------------


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


# -- turns and conflicts --------------------------------------------------------------------------


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
        in_one_batch(store, (note, "c"), (lock_both, "ab")),
        in_one_batch(other, (note, "d"), (lock_both, "ba")),
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
    await in_one_batch(store, *((note, each) for each in wanted))
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


# -- connections that end -------------------------------------------------------------------------


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


# -- what others write ----------------------------------------------------------------------------


@pytest.fixture
def many_files() -> Any:
    """So many are open that the next ones have numbers which ``select`` does not take."""
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < 1_024:
        opened.append(os.dup(opened[0]))
    yield
    for number in opened:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


async def test_a_process_hears_what_another_writes(
    store: Store, other: Store, many_files: None
) -> None:
    """Of the tables that it listens to, when it is committed."""
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    end = store.listen("vendo_events", lambda: loop.call_soon_threadsafe(heard.set))
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    await until(other, listening)

    def tell(connection: Any, now: int, _: None) -> None:
        app = "INSERT INTO vendo_apps (tenant, slug, name, created_at) VALUES ('t', ?, 'n', 0)"
        connection.execute(f"{app} ON CONFLICT (tenant, slug) DO NOTHING", ("s",))
        connection.execute(
            "INSERT INTO vendo_events (app_id, user_id, event_id, kind, payload, at)"
            " SELECT id, '', 'e', 'k', '{}', 0 FROM vendo_apps"
        )

    await other.write(tell, None)
    async with asyncio.timeout(FOREVER):
        await heard.wait()
    end()


async def test_who_listens_is_told_once_the_connection_is_back(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something may have been written meanwhile."""
    monkeypatch.setattr("quatrain.server.store.postgres.listener._AGAIN", 0.0)
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    store.listen("velerian_runs", lambda: loop.call_soon_threadsafe(heard.set))
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    await until(other, cut)
    async with asyncio.timeout(FOREVER):
        await heard.wait()


# -- the schema -----------------------------------------------------------------------------------

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


# -- the address ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ann:hunter2@db.example:5432/ledger", "postgresql://db.example:5432/ledger"),
        ("postgres://db/ledger?password=hunter2", "postgresql://db/ledger"),
        ("postgresql://ann:p@ss/hunter2@db/ledger", "postgresql://db/ledger"),
        ("postgresql://ann:hunter2?x@db/ledger", "postgresql://…"),
        ("postgresql://h/ledger?password=hunter2@x", "postgresql://…"),
        ("postgresql://ann:hunter2", "postgresql://…"),
        ("postgresql://a:1,[::1]:2/x", "postgresql://a:1,[::1]:2/x"),
    ],
)
def test_no_password_is_shown(address: str, shown: str) -> None:
    """In no text that the address or the settings become."""
    settings = Settings(database=address)
    assert shown == str(settings.database)
    for text in (repr(settings), repr(settings.database), repr(store_on(settings.database))):
        assert "hunter2" not in text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ann:hunter2@127.0.0.1:1/x", 'server at "127.0.0.1", port 1 failed: Connection refused'),
        ("ann:hunter2@127.0.0.1:1/x?sslmode=none", "invalid sslmode value: …"),
        ("ann:pa@hunter2@127.0.0.1:1/x", "failed to resolve host …: "),
        ("ann:1@127.0.0.1:1/x?sslmode=hunter2@h", "invalid sslmode value: …"),
    ],
)
def test_why_a_connection_was_refused(address: str, reason: str) -> None:
    """The driver repeats what it took for a host or an option: perhaps part of a password."""
    with pytest.raises(ConfigError, match="can't be used") as caught:
        store_on(f"postgresql://{address}").open()
    assert reason in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_is_not_there_is_a_config_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which tells where, and no password."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigError, match="can't be used") as caught:
        store_on("postgresql://ann:hunter2@127.0.0.1:1/ledger").open()
    assert "hunter2" not in f"{caught.value} {caplog.text}"


@pytest.mark.parametrize("address", ["postgresql://a b/c", "postgresql://a\0b", "postgresql://\n"])
def test_an_address_that_is_none_is_a_config_error(address: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigError, match="the database's address"):
        Settings(database=address)


def test_the_secret_key_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file beside the database that every process could read."""
    monkeypatch.delenv("QUATRAIN_SECRET_KEY", raising=False)
    source = key_source(None, PostgresURL.of("postgresql://db/ledger"))
    with pytest.raises(ConfigError, match="QUATRAIN_SECRET_KEY"):
        source.load(may_create=True)
