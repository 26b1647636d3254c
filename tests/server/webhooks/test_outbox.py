"""The outbox on the store: claims, settling, lists, sending again."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from quatrain.server.store import Store
from quatrain.server.webhooks import (
    DeliveriesPage,
    Delivery,
    DeliveryNotFoundError,
    DeliveryStatus,
    Endpoint,
    EndpointRemovedError,
    Filter,
    outbox,
)
from quatrain.server.webhooks.records import Claim, Outcome
from quatrain.server.webhooks.schedule import DELAYS, TRIES

from .._support import START, ServerClock
from ._support import Site, make_site

FAILED = Outcome(500, "answered 500")
TAKEN = Outcome(204)


def claim(site: Site, **params: Any) -> list[Claim]:
    values = {"limit": 100, "claim_ms": 30_000, **params}
    return site.store.write_blocking(outbox.claim, values)


def settle(site: Site, claimed: Claim, outcome: Outcome) -> DeliveryStatus | None:
    params = {"id": claimed.id, "attempt": claimed.attempt, "outcome": outcome, "luck": 0.5}
    return site.store.write_blocking(outbox.settle, params)


def next_due(site: Site, *without: int) -> int | None:
    return site.store.read_blocking(outbox.next_due, without)


def test_what_is_added_is_due_at_once(site: Site, endpoint: Endpoint) -> None:
    """With as many tries as there are delays, and one."""
    assert next_due(site) is None
    delivery_id = site.add(endpoint, "tasks.created", '{"action":"a"}')
    assert delivery_id.startswith("dlv_")
    assert next_due(site) == START
    expected = Delivery(
        id=1,
        delivery_id=delivery_id,
        endpoint_id=endpoint.id,
        event_type="tasks.created",
        payload='{"action":"a"}',
        status=DeliveryStatus.PENDING,
        attempts=0,
        tries_left=TRIES,
        next_attempt_at=START,
        claimed_until=None,
        created_at=START,
        delivered_at=None,
        last_status=None,
        last_error=None,
    )
    assert [expected] == site.deliveries()


def test_an_event_is_part_of_its_change(site: Site, endpoint: Endpoint) -> None:
    """No change, no event."""

    def change(connection: sqlite3.Connection, now: int, _: None) -> None:
        outbox.add(connection, now, endpoint.id, "team.added", "{}")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        site.store.write_blocking(change, None)
    assert site.deliveries() == []


# -- claims ---------------------------------------------------------------------------------------


def test_a_claim_holds_all_that_is_sent(site: Site, endpoint: Endpoint) -> None:
    """And shows no secret."""
    delivery_id = site.add(endpoint, "team.added", "[1]")
    (claimed,) = claim(site)
    expected = Claim(
        1, delivery_id, endpoint.id, endpoint.url, endpoint.secret, "team.added", "[1]", 1,
        START + 30_000,
    )  # fmt: skip
    assert expected == claimed
    assert "whsec_secret" not in repr(claimed)


def test_what_is_claimed_is_nobody_elses_until_the_claim_ends(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """Its process may have died: then it is due again, and the dead one has no say in it."""
    site.add(endpoint)
    (first,) = claim(site)
    clock.advance(29_999)
    assert claim(site) == []
    assert next_due(site) == START + 30_000
    clock.advance(1)
    (second,) = claim(site)
    assert (first.attempt, second.attempt) == (1, 2)
    before = site.deliveries()
    assert settle(site, first, TAKEN) is None
    assert before == site.deliveries()
    assert settle(site, second, TAKEN) == DeliveryStatus.DELIVERED


def test_a_late_outcome_counts_while_nobody_has_claimed_since(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """As a commit after its lease."""
    site.add(endpoint)
    (claimed,) = claim(site)
    clock.advance(60_000)
    assert settle(site, claimed, TAKEN) == DeliveryStatus.DELIVERED


def test_only_what_is_due_is_claimed_the_oldest_first(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """As many as are wanted."""
    ids = [site.add(endpoint) for _ in range(3)]
    clock.now -= 1
    assert claim(site) == []
    clock.advance(1)
    assert ids[:2] == [claimed.delivery_id for claimed in claim(site, limit=2)]
    assert ids[2:] == [claimed.delivery_id for claimed in claim(site, limit=2)]


def test_a_long_queue_is_passed_by_others(site: Site) -> None:
    """Each endpoint gets its share, and who has least under way comes first."""
    long, short, busy, full = (site.add_endpoint() for _ in range(4))
    site.add_many([long] * 5 + [short] + [busy] * 2 + [full] * 2)
    share = {"per_endpoint": 3, "busy": {busy.id: 1, full.id: 3}}
    first = claim(site, limit=3, **share)
    assert [long.id, short.id, long.id] == [claimed.endpoint_id for claimed in first]
    share["busy"] = {**share["busy"], long.id: 2, short.id: 1}
    second = claim(site, limit=9, **share)
    assert [busy.id, long.id, busy.id] == [claimed.endpoint_id for claimed in second]


def test_no_endpoint_crowds_out_another(site: Site, clock: ServerClock) -> None:
    """Neither one that was there before, nor one of which nothing is due yet."""
    first, second, later = (site.add_endpoint() for _ in range(3))
    site.add(first)
    (claimed,) = claim(site)
    settle(site, claimed, FAILED)  # due again in a second
    site.add_many([second, later])
    busy = {first.id: 0, second.id: 3, later.id: 1}
    (claimed,) = claim(site, limit=1, per_endpoint=4, busy=busy)
    assert claimed.endpoint_id == later.id
    (claimed,) = claim(site, limit=1, per_endpoint=4, busy=busy)
    assert claimed.endpoint_id == second.id


def test_those_that_fail_share_a_part(site: Site) -> None:
    """However many they are, and however long they have waited."""
    bad = [site.add_endpoint() for _ in range(5)]
    site.add_many(bad * 2)
    good = site.add_endpoint()
    site.add_many([good] * 2)
    part = {"failing": {endpoint.id for endpoint in bad}, "for_failing": 2, "limit": 4}
    claims = claim(site, **part, per_endpoint=4)
    assert [bad[0].id, bad[1].id, good.id, good.id] == [each.endpoint_id for each in claims]
    assert [] == claim(site, **{**part, "for_failing": 0})


def test_who_is_not_asked_for_has_nothing_due(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """An endpoint that has all its attempts under way wakes nobody."""
    site.add(endpoint)
    clock.advance(7)
    other = site.add_endpoint()
    site.add(other)
    assert next_due(site) == START
    assert next_due(site, endpoint.id) == START + 7
    assert next_due(site, endpoint.id, other.id) is None


# -- settling -------------------------------------------------------------------------------------


def test_what_was_delivered_is_done(site: Site, endpoint: Endpoint, clock: ServerClock) -> None:
    """Once: telling it again changes nothing."""
    site.add(endpoint)
    (claimed,) = claim(site)
    clock.advance(3)
    assert settle(site, claimed, TAKEN) == DeliveryStatus.DELIVERED
    assert settle(site, claimed, FAILED) is None
    (delivery,) = site.deliveries()
    assert (delivery.status, delivery.delivered_at) == ("DELIVERED", START + 3)
    assert (delivery.attempts, delivery.last_status, delivery.last_error) == (1, 204, None)
    assert (delivery.next_attempt_at, delivery.claimed_until) == (None, None)
    assert next_due(site) is None


def test_what_is_long_over_is_let_go_as_new_ones_come(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """Two with each; what waits stays, however long it does."""
    delivered = [site.add(endpoint) for _ in range(3)]
    for claimed in claim(site):
        settle(site, claimed, TAKEN)
    waiting = site.add(endpoint)
    clock.advance(outbox.KEPT_MS)
    kept = [site.add(endpoint)]
    assert [*delivered, waiting, *kept] == [each.delivery_id for each in site.deliveries()]
    clock.advance(1)
    kept += [site.add(endpoint)]
    assert [delivered[2], waiting, *kept] == [each.delivery_id for each in site.deliveries()]
    kept += [site.add(endpoint), site.add(endpoint)]
    assert [waiting, *kept] == [each.delivery_id for each in site.deliveries()]


def test_what_failed_is_tried_again_and_in_the_end_given_up(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """After the schedule's delays."""
    site.add(endpoint)
    for number, delay in enumerate(DELAYS, 1):
        (claimed,) = claim(site)
        assert settle(site, claimed, FAILED) == DeliveryStatus.PENDING
        # telling it twice, as after a lost answer, costs no try
        assert settle(site, claimed, FAILED) is None
        (delivery,) = site.deliveries()
        assert (delivery.attempts, delivery.tries_left) == (number, TRIES - number)
        assert delivery.next_attempt_at == clock.now + delay * 1000
        assert (delivery.last_status, delivery.last_error) == (500, "answered 500")
        clock.advance(delay * 1000)
    (claimed,) = claim(site)
    assert settle(site, claimed, Outcome(None, "refused")) == DeliveryStatus.FAILED
    (delivery,) = site.deliveries()
    assert (delivery.status, delivery.tries_left) == ("FAILED", 0)
    assert (delivery.last_status, delivery.last_error) == (None, "refused")
    assert next_due(site) is None


def test_an_attempt_that_nobody_saw_the_end_of_costs_no_try(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """However often a process dies, nothing is given up."""
    site.add(endpoint)
    for _ in range(TRIES + 1):
        assert len(claim(site)) == 1
        clock.advance(30_000)
    (delivery,) = site.deliveries()
    assert (delivery.attempts, delivery.tries_left) == (TRIES + 1, TRIES)


def test_a_receiver_may_ask_for_time(site: Site, endpoint: Endpoint) -> None:
    """More than the schedule has."""
    site.add(endpoint)
    (claimed,) = claim(site)
    settle(site, claimed, Outcome(429, "answered 429", 90.0))
    assert next_due(site) == START + 90_000


def test_a_cancelled_delivery_stays_so(site: Site, endpoint: Endpoint) -> None:
    """What an attempt under way then comes to is not noted."""
    site.add(endpoint)
    (claimed,) = claim(site)
    site.remove(endpoint)
    assert settle(site, claimed, FAILED) is None
    assert [DeliveryStatus.CANCELLED] == [delivery.status for delivery in site.deliveries()]


# -- sending again --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(DeliveryStatus))
def test_anything_can_be_sent_again(
    site: Site, endpoint: Endpoint, clock: ServerClock, status: DeliveryStatus
) -> None:
    """With the same id, as if it were new; what it came to last can still be read."""
    delivery_id = site.add(endpoint)
    (claimed,) = claim(site)
    settle(site, claimed, FAILED)
    statement = (
        "UPDATE webhook_deliveries SET status = ?, tries_left = 0, delivered_at = 1, "
        "next_attempt_at = CASE WHEN ? = 'PENDING' THEN next_attempt_at END"
    )
    site.store.write_blocking(
        lambda connection, _now, _: connection.execute(statement, (status, status)).rowcount, None
    )
    clock.advance(17)
    again = site.resend(delivery_id)
    assert site.delivery(delivery_id) == again
    assert (again.status, again.tries_left, again.attempts) == ("PENDING", TRIES, 1)
    assert (again.next_attempt_at, again.delivered_at) == (START + 17, None)
    assert again.last_error == "answered 500"
    (claimed,) = claim(site)
    assert (delivery_id, 2) == (claimed.delivery_id, claimed.attempt)


def test_what_is_under_way_is_not_sent_a_second_time_at_once(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """The attempt settles it; when it fails, all tries are there again."""
    delivery_id = site.add(endpoint)
    (claimed,) = claim(site)
    assert site.resend(delivery_id).claimed_until == claimed.claimed_until
    assert claim(site) == []
    assert settle(site, claimed, FAILED) == DeliveryStatus.PENDING
    assert site.delivery(delivery_id).tries_left == TRIES - 1


def test_what_was_under_way_too_long_is_sent_again_at_once(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """Its claimer is dead."""
    delivery_id = site.add(endpoint)
    (claimed,) = claim(site)
    clock.advance(30_000)
    again = site.resend(delivery_id)
    assert (again.claimed_until, again.next_attempt_at) == (None, clock.now)
    assert settle(site, claimed, TAKEN) is None


def test_nothing_is_sent_again_to_a_removed_endpoint(site: Site, endpoint: Endpoint) -> None:
    """It would wait for ever."""
    delivery_id = site.add(endpoint)
    site.remove(endpoint)
    assert isinstance(site.resend(delivery_id), EndpointRemovedError)
    assert site.delivery(delivery_id).status == DeliveryStatus.CANCELLED


def test_accounts_do_not_reach_each_others_deliveries(store: Store, site: Site) -> None:
    """Neither to see nor to send again."""
    other = make_site(store, "other")
    delivery_id = other.add(other.add_endpoint())
    assert site.deliveries() == []
    assert isinstance(site.resend(delivery_id), DeliveryNotFoundError)
    params = {"account_id": site.account_id, "delivery_id": delivery_id}
    assert isinstance(store.read_blocking(outbox.get_delivery, params), DeliveryNotFoundError)


# -- lists ----------------------------------------------------------------------------------------


def test_pages_go_from_new_to_old(site: Site) -> None:
    """Over all endpoints, removed ones too; what is added meanwhile moves nothing."""
    one, other = site.add_endpoint(), site.add_endpoint()
    for endpoint in (one, other, other, one, other):
        site.add(endpoint)
    site.remove(other)
    params = {"account_id": site.account_id, "filter": Filter(), "limit": 2}
    pages, before = [], None
    for _ in range(3):
        page = site.store.read_blocking(outbox.list_deliveries, {**params, "before": before})
        pages.append([delivery.id for delivery in page.items])
        before = page.next
        site.add(one)
    assert [[5, 4], [3, 2], [1]] == pages
    assert before is None


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, [1, 2, 3, 4]),
        ({"status": DeliveryStatus.DELIVERED}, [1]),
        ({"status": DeliveryStatus.PENDING, "event_type": "b"}, [2, 4]),
        ({"event_type": "a"}, [1, 3]),
        ({"endpoint_id": 2}, [3, 4]),
        ({"endpoint_id": 2, "event_type": "b"}, [4]),
        ({"endpoint_id": 99}, []),
    ],
)
def test_lists_hold_what_is_asked_for(site: Site, wanted: dict[str, Any], ids: list[int]) -> None:
    """By status, event and endpoint, all at once."""
    for endpoint in (site.add_endpoint(), site.add_endpoint()):
        site.add(endpoint, "a")
        site.add(endpoint, "b")
    settle(site, claim(site, limit=1)[0], TAKEN)
    assert ids == [delivery.id for delivery in site.deliveries(**wanted)]


@pytest.mark.on_file
def test_a_page_reads_no_more_payloads_than_it_holds(site: Site) -> None:
    """However many endpoints there are: they may be large."""
    site.add_many([site.add_endpoint() for _ in range(10)] * 3)
    run: list[str] = []

    def page(connection: sqlite3.Connection, now: int, _: None) -> DeliveriesPage:
        params = {"account_id": site.account_id, "filter": Filter(), "limit": 4, "before": None}
        connection.set_trace_callback(run.append)
        try:
            return outbox.list_deliveries(connection, now, params)
        finally:
            connection.set_trace_callback(None)

    found = site.store.read_blocking(page, None)
    assert [30, 29, 28, 27] == [delivery.id for delivery in found.items]
    assert 4 == sum("payload" in statement for statement in run)


class Explained:
    """A connection that notes how each statement finds its rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    def execute(self, statement: str, values: Any = ()) -> Any:
        if "webhook_deliveries" in statement:
            rows = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            self.plans += [detail for *_, detail in rows]
        return self._connection.execute(statement, values)


@pytest.mark.parametrize(
    ("operation", "params", "index"),
    [
        (outbox.next_due, (), "webhook_deliveries_due"),
        (outbox.claim, {"limit": 9, "claim_ms": 1}, "webhook_deliveries_due"),
        (
            outbox.list_deliveries,
            {"account_id": 1, "filter": Filter(), "before": 99, "limit": 9},
            "webhook_deliveries_of_endpoint",
        ),
    ],
)
@pytest.mark.on_file
def test_rows_are_found_by_an_index(
    site: Site, endpoint: Endpoint, operation: Any, params: Any, index: str
) -> None:
    """However many there are; nothing is sorted."""
    site.add(endpoint)

    def explain(connection: sqlite3.Connection, now: int, _: None) -> list[str]:
        explained: Any = Explained(connection)
        operation(explained, now, params)
        return list(explained.plans)

    other = ("PRIMARY KEY", "webhook_endpoints", "SCALAR SUBQUERY")
    plans = site.store.write_blocking(explain, None)
    plans = [plan for plan in plans if not any(words in plan for words in other)]
    assert plans
    assert all(f"INDEX {index} " in plan and plan.startswith("SEARCH") for plan in plans), plans
