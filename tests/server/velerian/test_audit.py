"""The audit log: only added to, chained, filtered, and walked while it grows."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from quatrain.evidence.chain import START as NO_LINK
from quatrain.evidence.chain import canonical, chained, hash_of
from quatrain.server.store import Store
from quatrain.server.velerian import audit
from quatrain.server.velerian.audit import AuditLog, Entry, Filter

from .._support import START, ServerClock
from ._core import Caller, change, refusal

ABP = {"action": "abp.invoke", "resource_kind": "abp", "resource_id": "pay", "detail": {}}


def append(connection: sqlite3.Connection, now: int, given: dict[str, Any]) -> None:
    """An entry of the tenant "acme", of an ABP unless it is said."""
    audit.append(connection, now, **{"tenant": "acme", "actor": "ann", **ABP, **given})


def add(store: Store, **given: Any) -> None:
    store.write_blocking(append, given)


async def all_of(log: AuditLog, wanted: Filter | None = None, tenant: str = "acme") -> list[Entry]:
    page = await log.page(tenant, wanted or Filter(), limit=1_000, offset=0)
    assert len(page.items) == page.total
    return page.items


@pytest.fixture
def log(store: Store) -> AuditLog:
    return AuditLog(store)


async def test_entries_are_numbered(store: Store, log: AuditLog, clock: ServerClock) -> None:
    """From 1 and without a gap, every tenant's for itself."""
    for tenant in ("acme", "other", "acme", "acme"):
        add(store, tenant=tenant)
        clock.advance(1)
    assert [(1, START), (2, START + 2), (3, START + 3)] == [
        (entry.sequence, entry.at) for entry in await all_of(log)
    ]
    assert [1] == [entry.sequence for entry in await all_of(log, tenant="other")]


async def test_a_clock_that_is_set_back(store: Store, log: AuditLog, clock: ServerClock) -> None:
    """Does not bring the order of times out of the order of numbers."""
    for step in (0, -5_000, -5_000, 11_000):
        clock.advance(step)
        add(store)
    times = [START, START, START, START + 1_000]
    assert times == [entry.at for entry in await all_of(log)]
    assert 3 == len(await all_of(log, Filter(until=START)))


# -- the chain ------------------------------------------------------------------------------------


async def test_the_chain_can_be_recomputed_from_the_wire(caller: Caller) -> None:
    """By who has the rows and knows the tenant."""
    await caller.make_abp()
    for amount in (5, 500, 5_000):
        await caller.invoke({"amount": amount})
    previous = NO_LINK
    entries = (await caller.get("audit-log"))["items"]
    assert [1, 2, 3, 4] == [entry["sequence"] for entry in entries]
    for entry in entries:
        said = {name: entry[name] for name in entry.keys() - {"id", "sequence", "chain_hash"}}
        hashed = hash_of(canonical({**said, "tenant_id": "acme"}))
        previous = chained(previous, entry["sequence"], hashed)
        assert previous == entry["chain_hash"]


def test_an_altered_entry_is_found(store: Store) -> None:
    """Whatever is altered, taken out, or put in."""
    for number in range(5):
        add(store, resource_id=f"r{number}", detail={"n": number})
    broken = audit.first_broken
    assert None is store.read_blocking(broken, "acme")
    alterations = [
        ("at = at + 1", "at = at - 1"),
        ("actor_user_id = 'bo'", "actor_user_id = 'ann'"),
        ("action = 'x'", "action = 'abp.invoke'"),
        ("resource_kind = 'x'", "resource_kind = 'abp'"),
        ("resource_id = 'x'", "resource_id = 'r2'"),
        ("detail = '{}'", """detail = '{"n":2}'"""),
        ("tenant = 'other'", "tenant = 'acme'"),
        ("sequence = 9", "sequence = 3"),
    ]
    for alter, mend in alterations:
        change(store, f"UPDATE velerian_audit SET {alter} WHERE id = 3")
        assert 3 == store.read_blocking(broken, "acme")
        change(store, f"UPDATE velerian_audit SET {mend} WHERE id = 3")
        assert None is store.read_blocking(broken, "acme")
    change(store, "DELETE FROM velerian_audit WHERE id = 2")
    assert 2 == store.read_blocking(broken, "acme")


# -- filters and pages ----------------------------------------------------------------------------


def fill(connection: sqlite3.Connection, now: int, count: int) -> None:
    """Entries that differ in everything, one a millisecond."""
    for number in range(count):
        given = {
            "actor": "ann" if number % 3 else "bo",
            "action": "run.start" if number % 2 else "abp.invoke",
            "resource_kind": "run" if number % 2 else "abp",
            "resource_id": f"r{number % 5}",
        }
        append(connection, now + number, given)


FILTERS: list[dict[str, Any]] = [
    {},
    {"action": "run.start"},
    {"resource_kind": "abp"},
    {"resource_id": "r3"},
    {"actor_user_id": "bo"},
    {"action": "run.start", "actor_user_id": "ann", "resource_kind": "run", "resource_id": "r1"},
    {"since": START + 40},
    {"until": START + 40},
    {"since": START + 10, "until": START + 90},
    {"since": START + 10, "until": START + 90, "action": "abp.invoke"},
    {"since": START + 90, "until": START + 10},
    {"since": START + 90, "until": START + 10, "action": "abp.invoke"},
    {"since": START + 10**9},
    {"until": START - 1},
    {"action": "none"},
    {"action": "run.start", "resource_kind": "abp"},
]


@pytest.mark.parametrize("given", FILTERS)
async def test_filters_and_pages(store: Store, log: AuditLog, given: dict[str, Any]) -> None:
    """What a plain look at every entry finds, in order, in pages of any size, with the total."""
    store.write_blocking(fill, 120)
    assert 120 == len(await all_of(log))
    wanted = Filter(**given)
    expected = [
        entry
        for entry in await all_of(log)
        if all(getattr(entry, n) == v for n, v in given.items() if n not in {"since", "until"})
        and given.get("since", 0) <= entry.at <= given.get("until", 2**60)
    ]
    for reader in (log, AuditLog(store)):
        for limit, offset in ((1_000, 0), (7, 0), (7, 7), (7, 14), (7, 3), (1, 119), (5, 500)):
            page = await reader.page("acme", wanted, limit=limit, offset=offset)
            assert (expected[offset : offset + limit], len(expected)) == (page.items, page.total)


async def test_pages_end_and_totals_grow(store: Store, log: AuditLog) -> None:
    """What is remembered of a walk stays right while entries are added, and for shorter ones."""
    store.write_blocking(fill, 100)
    starts = Filter(action="run.start")
    for offset in range(0, 50, 10):
        assert 50 == (await log.page("acme", starts, limit=10, offset=offset)).total
    add(store, action="run.start", detail={"new": True})
    page = await log.page("acme", starts, limit=10, offset=50)
    assert ([{"new": True}], 51) == ([entry.detail for entry in page.items], page.total)
    until = Filter(action="run.start", until=START + 49)
    page = await log.page("acme", until, limit=10, offset=20)
    assert ([41, 43, 45, 47, 49], 25) == (
        [entry.at - START for entry in page.items],
        page.total,
    )
    assert 51 == (await log.page("acme", starts, limit=1, offset=0)).total
    later = Filter(action="run.start", since=START + 200)
    assert 0 == (await log.page("acme", later, limit=1, offset=0)).total


async def test_walks_of_tenants_are_apart(store: Store, log: AuditLog) -> None:
    """What is remembered of one tells nothing about another."""
    for tenant, action in (
        *(("acme", "abp.invoke"), ("acme", "abp.invoke")),
        *(("other", "run.start"), ("other", "run.start"), ("other", "abp.invoke")),
    ):
        add(store, tenant=tenant, action=action)
    wanted = Filter(action="abp.invoke")
    for tenant, total in (("acme", 2), ("other", 1), ("acme", 2)):
        for offset in (0, 1):
            page = await log.page(tenant, wanted, limit=1, offset=offset)
            assert (int(offset < total), total) == (len(page.items), page.total)


class Explained:
    """A connection that notes by which index it finds its rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.plans: list[str] = []

    def execute(self, statement: str, values: dict[str, Any]) -> sqlite3.Cursor:
        plan = self.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        self.plans += [detail for *_, detail in plan]
        return self.connection.execute(statement, values)


@pytest.mark.parametrize("given", FILTERS)
@pytest.mark.on_file
def test_an_index_serves(store: Store, given: dict[str, Any]) -> None:
    """Nothing is scanned, and nothing is sorted."""
    store.write_blocking(fill, 5)
    params = {
        "tenant": "acme",
        "filter": Filter(**given),
        "limit": 9,
        "offset": 3,
        "after": None,
        "counted": None,
    }

    def explain(connection: sqlite3.Connection, now: int, _: None) -> list[str]:
        explained: Any = Explained(connection)
        audit.page(explained, now, params)
        return list(explained.plans)

    for plan in store.read_blocking(explain, None):
        assert plan.startswith("SEARCH velerian_audit USING")
        assert "(tenant=?" in plan


async def test_a_walk_while_entries_are_written(store: Store, log: AuditLog) -> None:
    """5,000 that were there throughout: each once, in order, whatever comes meanwhile."""
    store.write_blocking(fill, 5_000)
    for wanted in (Filter(), Filter(resource_kind="abp")):
        stop = asyncio.Event()

        async def write(stop: asyncio.Event = stop) -> int:
            written = 0
            while not stop.is_set():
                await store.write(append, {"detail": {"late": written}})
                written += 1
            return written

        writer = asyncio.create_task(write())
        seen: list[int] = []
        total = 0
        while True:
            page = await log.page("acme", wanted, limit=125, offset=len(seen))
            seen += [entry.sequence for entry in page.items]
            assert total <= page.total
            total = page.total
            if len(seen) >= 5_000 // (1 if wanted == Filter() else 2):
                break
        stop.set()
        assert await writer > 0
        every = range(1, 5_001) if wanted == Filter() else range(1, 5_001, 2)
        assert list(every) == seen[: len(every)]
        assert sorted(set(seen)) == seen


# -- on the wire ----------------------------------------------------------------------------------


async def test_the_wire_has_every_filter(caller: Caller, clock: ServerClock) -> None:
    """And times to the millisecond, whatever their form."""
    store = caller.app.state.store
    change(store, "DELETE FROM velerian_audit")
    add(store, actor="bo")
    clock.advance(10)
    add(store, action="run.start", resource_kind="run", resource_id="run_1", detail={"a": [1]})
    expected = {
        "created_at": "2027-01-15T08:00:00.010Z",
        "actor_user_id": "ann",
        "action": "run.start",
        "resource_kind": "run",
        "resource_id": "run_1",
        "detail": {"a": [1]},
        "sequence": 2,
    }
    (entry,) = (await caller.get("audit-log", offset=1))["items"]
    assert len(entry.pop("chain_hash")) == 64
    assert entry.pop("id").startswith("aud_")
    assert expected == entry
    for query, sequences in (
        ({"action": "run.start"}, [2]),
        ({"resource_kind": "abp"}, [1]),
        ({"resource_id": "run_1"}, [2]),
        ({"actor_user_id": "bo"}, [1]),
        ({"since": "2027-01-15T08:00:00.010Z"}, [2]),
        ({"since": "2027-01-15T08:00:00.010001Z"}, []),
        ({"since": "2027-01-15T09:00:00.010+01:00"}, [2]),
        ({"since": "2027-01-15"}, [1, 2]),
        ({"until": "2027-01-15T08:00:00.009999"}, [1]),
        ({"until": "2027-01-15T08:00:00.010"}, [1, 2]),
        ({"limit": 1}, [1]),
    ):
        page = await caller.get("audit-log", **query)
        assert sequences == [entry["sequence"] for entry in page["items"]]
        assert (query.get("limit", 50), 0) == (page["limit"], page["offset"])
        assert page["total"] == (2 if query == {"limit": 1} else len(sequences))


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("value", ["", "yesterday", "2027-13-01", "1800000000"])
async def test_a_time_is_a_time(caller: Caller, name: str, value: str) -> None:
    """422 names the parameter."""
    status, detail = await refusal(caller, "GET", "audit-log", params={name: value})
    assert (422, ["query", name]) == (status, detail[0]["loc"])
