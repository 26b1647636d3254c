"""The ledger's batches on PostgreSQL: how few trips they take, and what becomes of lost ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from quatrain.server.ledger import EffectId, Holder, Ledger, operations
from quatrain.server.ledger import together as ledger_together
from quatrain.server.store import PostgresURL, Store, StoreUnavailableError, store_on
from quatrain.server.store.connection import side_by_side
from quatrain.server.store.postgres.connection import PostgresConnection
from tests._postgres import PostgresServer
from tests._require import import_for

from .._support import ServerClock, audited, granted, make_realm, trail
from ..test_batches import batch, in_turn
from ._support import until

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("marked")]


@pytest.fixture
def store(postgres_url: PostgresURL, clock: ServerClock) -> Iterator[Store]:
    with store_on(postgres_url, now_ms=clock) as store:
        yield store


@pytest.fixture
def session(postgres_url: PostgresURL) -> Iterator[Any]:
    """A session of somebody else's, in no transaction."""
    with psycopg.connect(postgres_url.secret.reveal(), autocommit=True) as session:
        yield session


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that an operation is done with."""
    sent: list[str] = []
    execute = PostgresConnection.execute

    def counted(self: PostgresConnection, sql: str, *parameters: Any) -> Any:
        sent.append(sql)
        return execute(self, sql, *parameters)

    monkeypatch.setattr(PostgresConnection, "execute", counted)
    execute_alone = PostgresConnection.execute_alone

    def counted_alone(self: PostgresConnection, sql: str, *parameters: Any) -> Any:
        sent.append(sql)
        return execute_alone(self, sql, *parameters)

    monkeypatch.setattr(PostgresConnection, "execute_alone", counted_alone)
    return sent


def effects(realm: int, keys: str) -> list[EffectId]:
    return [EffectId(realm, "ns", key) for key in keys]


async def held(ledger: Ledger, realm: int, keys: str) -> list[Holder]:
    return [(await granted(ledger, effect))[0] for effect in effects(realm, keys)]


# -- few trips ------------------------------------------------------------------------------------


async def test_a_batch_takes_the_same_few_trips_however_large(
    store: Store, realm: int, trips: list[str]
) -> None:
    """One to lock its rows, and one for each kind of operation."""
    ledger = Ledger(store)
    holders = await held(ledger, realm, "abcdefghij")
    trips.clear()
    commits = [ledger.commit(each, result="1") for each in holders]
    leases = [ledger.lease(each) for each in effects(realm, "klmnopqrst")]
    answers = await batch(store, *commits, *leases)
    assert [] == [answer for answer in answers if isinstance(answer, Exception)]
    assert 3 == len(trips)


async def test_leases_alone_take_one(store: Store, realm: int, trips: list[str]) -> None:
    """They are granted in the order of the batch: nothing has to be locked before."""
    ledger = Ledger(store)
    await batch(store, *(ledger.lease(each) for each in effects(realm, "abcdef")))
    assert 1 == len(trips)


async def test_a_large_payload_is_sent_by_itself(
    store: Store, realm: int, trips: list[str]
) -> None:
    """A batch is kept in memory, here and there; the others of it go together."""
    ledger = Ledger(store)
    large = f'"{"x" * 100_000}"'
    requests = [ledger.lease(each) for each in effects(realm, "abcdef")]
    await batch(store, *requests, ledger.lease(EffectId(realm, "ns", "g"), input_json=large))
    assert 4 == len(trips)


async def test_a_single_operation_is_one_statement(
    store: Store, realm: int, trips: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that is its transaction."""
    ledger = Ledger(store)
    started: list[Any] = []
    monkeypatch.setattr(
        "quatrain.server.store.postgres.writer.PostgresWriter._start", started.append
    )
    (holder,) = await held(ledger, realm, "a")
    await ledger.renew(holder)
    await ledger.commit(holder, result="1")
    assert (3, []) == (len(trips), started)


async def test_a_single_operation_stays_one_statement_after_a_rollback(
    store: Store, realm: int, trips: list[str]
) -> None:
    """With which the driver has the server forget what was prepared."""
    ledger = Ledger(store)
    a, b, c = effects(realm, "abc")
    await granted(ledger, a)
    for _ in range(8):  # the driver prepares what it has sent often
        await batch(store, ledger.lease(a), ledger.lease(a))
    await batch(store, ledger.lease(a), ledger.lease(a, agent_id="x\0"))
    await asyncio.gather(ledger.lease(b, agent_id="x\0"), return_exceptions=True)
    trips.clear()
    await granted(ledger, b)
    await granted(ledger, c)
    assert 2 == len(trips)


async def test_what_is_prepared_after_a_rollback_is_found_again(
    store: Store, realm: int, trips: list[str]
) -> None:
    """Though all that was prepared before has then to be prepared once more."""
    ledger = Ledger(store)
    a, _, c, d = effects(realm, "abcd")
    holders = await held(ledger, realm, "ab")
    await ledger.commit(holders[0], result="1")
    for _ in range(8):  # the driver prepares what it has sent often
        await batch(store, ledger.lease(a), ledger.lease(a))
    await batch(store, ledger.lease(a), ledger.lease(a, agent_id="x\0"))
    trips.clear()
    await ledger.renew(holders[1])  # for the first time
    await granted(ledger, c)
    await ledger.commit(holders[1], result="1")
    holder, _ = await granted(ledger, d)
    await ledger.renew(holder)
    assert 5 == len(trips)


async def test_the_time_of_a_single_operation_is_the_databases(
    postgres_url: PostgresURL, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However wrong the clock of this machine is; which is put right by it."""
    monkeypatch.setattr("quatrain.server.store.postgres.clock.wall_clock_ms", lambda: 0)
    clock = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    with store_on(postgres_url) as store:
        effect = EffectId(make_realm(store, "acme", "test"), "ns", "k")
        (before,) = session.execute(clock).fetchone()
        _, grant = await granted(Ledger(store), effect, lease_duration_ms=5_000)
        (after,) = session.execute(clock).fetchone()
        assert before <= grant.lease_expires_at - 5_000 <= after
        assert grant.lease_expires_at - 5_000 == store.now_ms()


# -- faults and losses ----------------------------------------------------------------------------


async def test_what_the_database_refuses_is_one_operations_fault(store: Store, realm: int) -> None:
    """In a batch, in which the others are done, and alone."""
    ledger = Ledger(store)
    a, b, c = effects(realm, "abc")
    answers = await batch(
        store, ledger.lease(a), ledger.lease(b, agent_id="x\0"), ledger.lease(c, agent_id="\ud800")
    )
    assert isinstance(answers[0], tuple)
    assert (422, "validation_failed") == (answers[1].status, answers[1].code)
    assert isinstance(answers[2], UnicodeEncodeError)
    with pytest.raises(Exception, match="NUL"):
        await ledger.lease(b, agent_id="x\0")
    assert isinstance(await ledger.lease(b), tuple)


async def test_a_connection_that_ended_meanwhile_costs_a_single_operation_nothing(
    store: Store, realm: int, session: Any
) -> None:
    """That is found out before anything is asked on it."""
    ledger = Ledger(store)
    a, b = effects(realm, "ab")
    await granted(ledger, a)
    session.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await granted(ledger, b)


async def test_a_single_operation_lost_on_the_way_is_told_as_unknown(
    store: Store, realm: int, session: Any
) -> None:
    """It may have been done."""
    session.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    session.execute(
        "CREATE TRIGGER die AFTER INSERT ON effects FOR EACH ROW EXECUTE FUNCTION die()"
    )
    ledger = Ledger(store)
    (a,) = effects(realm, "a")
    with pytest.raises(StoreUnavailableError, match="not known"):
        await ledger.lease(a)
    session.execute("DROP TRIGGER die ON effects")
    await granted(ledger, a)


# -- locks and plans ------------------------------------------------------------------------------


async def test_a_mixed_batch_locks_its_rows_in_their_order(
    store: Store, realm: int, session: Any
) -> None:
    """Though it is done kind by kind: two batches never wait for each other."""
    ledger = Ledger(store)
    a, b, c = await held(ledger, realm, "abc")
    lock = "SELECT 1 FROM effects WHERE effect_key = %s FOR UPDATE NOWAIT"
    with session.transaction():
        session.execute(lock, ["b"])
        requests = (ledger.renew(a), ledger.commit(b, result="1"), ledger.renew(c))
        running = asyncio.create_task(batch(store, *requests))
        await until(store, "SELECT count(*) FROM pg_locks WHERE NOT granted")
        with session.transaction():
            session.execute(lock, ["c"])
        with pytest.raises(psycopg.errors.LockNotAvailable), session.transaction():
            session.execute(lock, ["a"])
    assert [] == [answer for answer in await running if isinstance(answer, Exception)]


@pytest.mark.parametrize("run", [batch, in_turn])
async def test_a_lease_that_was_not_yet_committed_when_it_ran_out_has_its_line(
    store: Store, realm: int, clock: ServerClock, session: Any, run: Any
) -> None:
    """Though a statement which has waited for the row sees nothing else that came meanwhile."""
    ledger = Ledger(store)
    a, b = effects(realm, "ab")
    await granted(ledger, a, lease_duration_ms=5_000)
    clock.advance(5_000)
    with session.transaction():
        session.execute("UPDATE effects SET fence_token = 2")  # for no time at all
        for line in (("LEASE_EXPIRED", 1), ("LEASE_GRANTED", 2)):
            session.execute(
                "INSERT INTO effect_events (effect_id, type, at, fence_token)"
                " SELECT id, %s, 0, %s FROM effects",
                line,
            )
        running = asyncio.create_task(run(store, ledger.lease(a), ledger.lease(b)))
        await until(store, "SELECT count(*) FROM pg_locks WHERE NOT granted")
    assert [3, 1] == [answer[0].fence_token for answer in await running]
    expected = [("LEASE_GRANTED", 1), ("LEASE_EXPIRED", 1), ("LEASE_GRANTED", 2)]
    assert [*expected, ("LEASE_EXPIRED", 2), ("LEASE_GRANTED", 3)] == await trail(ledger, a)
    assert [] == await audited(ledger, realm)


async def test_leases_lock_in_their_order_when_one_is_large(
    store: Store, realm: int, session: Any
) -> None:
    """It is not in the statement of the others."""
    ledger = Ledger(store)
    large = f'"{"x" * 100_000}"'
    await held(ledger, realm, "abc")
    given = zip(effects(realm, "abc"), (large, None, large), strict=True)
    lock = "SELECT 1 FROM effects WHERE effect_key = %s FOR UPDATE NOWAIT"
    with session.transaction():
        session.execute(lock, ["b"])
        requests = (ledger.lease(each, input_json=json) for each, json in given)
        running = asyncio.create_task(batch(store, *requests))
        await until(store, "SELECT count(*) FROM pg_locks WHERE NOT granted")
        with session.transaction():
            session.execute(lock, ["c"])
    assert {"lease_conflict"} == {answer.code for answer in await running}


async def test_a_locked_table_holds_a_batch_up_for_a_while_only(
    store: Store, realm: int, session: Any, trips: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for as long as each of its operations may wait, one after the other."""
    postgres = "quatrain.server.store.postgres"
    monkeypatch.setattr(f"{postgres}.connection._SETTINGS", "SET lock_timeout = '50ms'")
    monkeypatch.setattr(f"{postgres}.writer.PATIENCE", 0.1)
    ledger = Ledger(store)
    with session.transaction():
        session.execute("LOCK TABLE effects IN SHARE MODE")
        keys = effects(realm, "abcdefghijklmnopqrst")
        answers = await batch(store, *(ledger.lease(each) for each in keys))
        assert {StoreUnavailableError} == {type(answer) for answer in answers}
        assert {"the database is locked by another program"} == {str(each) for each in answers}
    assert len(trips) < 10
    await granted(ledger, keys[0])


async def test_no_plan_goes_through_all_effects(
    store: Store, realm: int, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there are so few that it would be less work: a plan is kept while they become many."""
    ledger = Ledger(store)
    for holder in await held(ledger, realm, "abcdefgh"):
        await ledger.commit(holder, result="1")
    session.execute("VACUUM ANALYZE effects")  # which finds none that runs

    def plan(connection: Any, now: int, _: None) -> str:
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        kind = ledger_together._KINDS[operations.commit]
        values = {"given": "[]", "now": now}
        rows = connection.execute(f"EXPLAIN {kind.statement}", values).fetchall()
        rows += connection.execute(f"EXPLAIN {ledger_together._MANY['lock']}", values).fetchall()
        return "\n".join(row for (row,) in rows)

    found = await store.write(side_by_side(lambda _: ())(plan), None)
    assert 2 == found.count("Bitmap Index Scan on effects_realm_id_namespace_effect_key_key")
    assert "effects_running" not in found
    assert "effects_of_namespace" not in found


async def test_the_database_is_told_to_look_at_what_is_new(
    postgres_url: PostgresURL, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, after some changes: it knows nothing of a new table, and every index seems as good."""
    monkeypatch.setattr("quatrain.server.store.postgres.writer._KNOWN_AT", 3)
    known = "SELECT reltuples >= 0 FROM pg_class WHERE oid = 'effects'::regclass"
    with store_on(postgres_url) as store:
        ledger, realm = Ledger(store), make_realm(store, "acme", "test")
        await held(ledger, realm, "ab")
        assert [(False,)] == session.execute(known).fetchall()
        await held(ledger, realm, "c")
        await held(ledger, realm, "d")
        assert [(True,)] == session.execute(known).fetchall()


async def test_a_prune_and_a_batch_do_not_wait_for_each_other(
    store: Store, realm: int, session: Any
) -> None:
    """Who has the table to itself is waited for before any row is locked."""
    ledger = Ledger(store)
    a, b = await held(ledger, realm, "ab")
    with session.transaction():
        session.execute("LOCK TABLE effects IN SHARE ROW EXCLUSIVE MODE")
        requests = (ledger.commit(a, result="1"), ledger.renew(b))
        running = asyncio.create_task(batch(store, *requests))
        await until(store, "SELECT count(*) FROM pg_locks WHERE NOT granted")
        session.execute("SELECT 1 FROM effects FOR UPDATE NOWAIT")
        session.execute("DELETE FROM effect_events")
        session.execute("DELETE FROM effects")
    assert ["effect_not_found"] * 2 == [answer.code for answer in await running]


@pytest.fixture
def realm(store: Store, postgres: PostgresServer) -> int:
    return make_realm(store, "acme", "test")
