"""The audit trail of all effects: pages that miss nothing, whatever their size."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import pytest

from quatrain.server.ledger import EffectId, Ledger, Place, TrailPage, trail
from quatrain.server.store import Store, store_on

from ._support import Client, ServerClock, audited, granted, make_realm


async def history(ledger: Ledger, clock: ServerClock, realm: int) -> None:
    """Three effects: one done, one tried twice and failed, one whose lease has run out."""
    for key, namespace in (("done", "ns"), ("twice", "ns"), ("late", "other")):
        holder, _ = await granted(ledger, EffectId(realm, namespace, key), agent_id="ann")
        if key == "done":
            await ledger.commit(holder, result="1")
    clock.advance(30_000)
    holder, _ = await granted(ledger, EffectId(realm, "ns", "twice"))
    await ledger.fail(holder, error='"x"')


async def pages(ledger: Ledger, realm: int, limit: int, **options: Any) -> list[TrailPage]:
    """All pages, from first to last."""
    after: Place | None = Place(0, 0)
    found = []
    while after is not None:
        found.append(await ledger.trail(realm, limit=limit, after=after, **options))
        after = found[-1].next
    return found


def told(found: list[TrailPage]) -> list[tuple[str, str, int]]:
    """Every line as (effect, kind, fence)."""
    return [
        (item.effect_key, line.type, line.fence_token)
        for page in found
        for item in page.items
        for line in item.lines
    ]


EXPECTED = [
    ("done", "LEASE_GRANTED", 1),
    ("done", "COMMITTED", 1),
    ("twice", "LEASE_GRANTED", 1),
    ("twice", "LEASE_EXPIRED", 1),
    ("twice", "LEASE_GRANTED", 2),
    ("twice", "FAILED", 2),
    ("late", "LEASE_GRANTED", 1),
]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
async def test_pages_of_any_size_hold_every_line_once(
    ledger: Ledger, clock: ServerClock, realm: int, limit: int
) -> None:
    """Effect by effect; one is divided only if it has more lines than a page."""
    await history(ledger, clock, realm)
    found = await pages(ledger, realm, limit)

    assert EXPECTED == told(found)
    assert all(sum(len(item.lines) for item in page.items) <= limit for page in found)
    parts = Counter(item.effect_key for page in found for item in page.items)
    assert {"done": -(-2 // limit), "twice": -(-4 // limit), "late": 1} == parts
    assert {"done": "COMMITTED", "twice": "FAILED", "late": "EXPIRED"} == {
        item.effect_key: item.status for page in found for item in page.items
    }


async def test_one_namespace(ledger: Ledger, clock: ServerClock, realm: int) -> None:
    """The others' lines are left out."""
    await history(ledger, clock, realm)

    assert EXPECTED[-1:] == told(await pages(ledger, realm, 2, namespace="other"))
    assert EXPECTED[:-1] == told(await pages(ledger, realm, 2, namespace="ns"))


async def test_a_realm_is_its_own(ledger: Ledger, clock: ServerClock, store: Store) -> None:
    """Nothing of another tenant's effects is told."""
    mine, other = make_realm(store, "mine", "test"), make_realm(store, "other", "test")
    await history(ledger, clock, other)

    assert [] == told(await pages(ledger, mine, 2))


async def test_what_comes_while_the_pages_are_read(
    ledger: Ledger, clock: ServerClock, realm: int
) -> None:
    """Lines that are added to the effect at the end of a page begin the next one."""
    holder, _ = await granted(ledger, EffectId(realm, "ns", "first"))
    await granted(ledger, EffectId(realm, "ns", "second"))
    page = await ledger.trail(realm, limit=1)
    await ledger.commit(holder, result="1")
    assert page.next is not None
    rest = await pages(ledger, realm, 1)

    assert [("first", "LEASE_GRANTED", 1)] == told([page])
    assert [
        ("first", "LEASE_GRANTED", 1),
        ("first", "COMMITTED", 1),
        ("second", "LEASE_GRANTED", 1),
    ] == told(rest)
    assert ["COMMITTED"] == [
        item.status for item in (await ledger.trail(realm, limit=1, after=page.next)).items
    ]


async def test_the_time_may_step_back(
    ledger: Ledger, store: Store, clock: ServerClock, realm: int
) -> None:
    """A replica that is behind writes after another; nobody is accused of anything."""
    behind = ServerClock()
    with store_on(store.database, now_ms=behind) as slow:
        clock.advance(30_000)
        effect = EffectId(realm, "ns", "k")
        await granted(ledger, effect)
        clock.advance(30_000)
        holder, _ = await granted(ledger, effect)
        await Ledger(slow).commit(holder, result="1")
        page = await ledger.trail(realm, limit=9)

    times = [line.at for line in page.items[0].lines]
    assert times[-1] < times[0]
    assert [] == await audited(ledger, realm)


@pytest.mark.parametrize("limit", [1, 2, 9])
async def test_an_effect_without_a_line_is_told_of(
    ledger: Ledger, store: Store, clock: ServerClock, realm: int, limit: int
) -> None:
    """Once: that there is none is what a check must learn."""
    await history(ledger, clock, realm)
    store.write_blocking(
        lambda c, now, _: c.execute("DELETE FROM effect_events WHERE effect_id = 2").rowcount, None
    )
    found = await pages(ledger, realm, limit)

    assert EXPECTED[:2] + EXPECTED[-1:] == told(found)
    assert ["twice"] == [i.effect_key for page in found for i in page.items if not i.lines]


@pytest.mark.on_file
def test_a_page_is_found_through_indexes(store: Store) -> None:
    """Nothing is sorted, however large the ledger has grown."""

    class Explained:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self.connection = connection
            self.plan: list[str] = []

        def execute(self, statement: str, values: dict[str, Any]) -> Any:
            rows = self.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            self.plan = [detail for *_, detail in rows]
            return self.connection.execute(statement, values)

    def explain(connection: sqlite3.Connection, now: int, _: None) -> list[str]:
        explained: Any = Explained(connection)
        params = {"realm_id": 1, "namespace": None, "after": Place(5, 9), "limit": 9}
        trail.page(explained, now, params)
        return list(explained.plan)

    assert [
        "SEARCH effects USING INDEX effects_newest (realm_id=? AND id>?)",
        "SEARCH effect_events USING INDEX effect_events_of_effect (effect_id=?) LEFT-JOIN",
    ] == store.read_blocking(explain, None)


# -- over HTTP ------------------------------------------------------------------------------------


async def test_over_http(client: Client) -> None:
    """In the wire's words, by cursor."""
    holder = await client.lease("k", agentId="ann")
    await client.post("/effects/ns/commit", **holder, result=1, source="acted")
    first = (await client.get("/trail", limit=1)).json()
    second = (await client.get("/trail", limit=1, cursor=first["nextCursor"])).json()
    (item,) = first["items"]

    assert ("eff_000000000001", "ns", "k", "COMMITTED", 1) == tuple(
        item[name] for name in ("effectId", "namespace", "effectKey", "status", "fenceToken")
    )
    assert ["LEASE_GRANTED"] == [line["type"] for line in item["events"]]
    (line,) = second["items"][0]["events"]
    assert ("COMMITTED", 2, "ann", {"source": "acted"}) == (
        line["type"],
        line["seq"],
        line["agentId"],
        line["detail"],
    )
    assert second["nextCursor"] is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "MQ", "MS4", "LjE", "MS4yLjM", "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ"]
)
async def test_cursors_that_are_none(client: Client, cursor: str) -> None:
    """422: an empty one, one of another list, half of one, and numbers that are too large."""
    response = await client.get("/trail", cursor=cursor)

    assert 422 == response.status_code
    assert ["query", "cursor"] == response.json()["errors"][0]["loc"]


async def test_who_may_read_it(client: Client) -> None:
    """A key that may read effects, and nobody else; it can't be written."""
    _, secret = client.keys.create(tenant="acme", scopes=["effects:write"])
    writer = Client(client.http, secret, client.keys)

    assert [403, 401, 405, 422] == [
        (await writer.get("/trail")).status_code,
        (await client.http.get("/trail")).status_code,
        (await client.post("/trail")).status_code,
        (await client.get("/trail", limit=1_001)).status_code,
    ]
