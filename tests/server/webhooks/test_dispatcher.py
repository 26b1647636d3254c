"""The dispatcher: every delivery arrives, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from pathlib import Path

import httpx
import pytest

from quatrain.server.webhooks import Endpoint, outbox
from quatrain.server.webhooks.schedule import DELAYS, TRIES

from .._support import START, ServerClock, second
from ._support import PATIENCE, PATIENT, QUICK, Receiver, Site, statuses


async def test_what_waits_is_sent_when_it_starts(site: Site, endpoint: Endpoint) -> None:
    """And what is written later, when it is woken."""
    receiver = Receiver()
    dispatcher = receiver.dispatcher(site.store, PATIENT)
    first = site.add(endpoint, payload='{"a": 1}')
    async with dispatcher.running():
        await site.idle()
        second = site.add(endpoint)
        dispatcher.wake()
        await site.idle()
    assert [first, second] == receiver.deliveries
    assert [b'{"a": 1}', b"{}"] == [request.content for request in receiver.requests]
    assert statuses(site) == {"DELIVERED": 2}


async def test_it_can_be_woken_from_any_thread(site: Site, endpoint: Endpoint) -> None:
    """Who writes with write_blocking has no loop."""
    receiver = Receiver()
    dispatcher = receiver.dispatcher(site.store, PATIENT)
    async with dispatcher.running():
        await asyncio.to_thread(lambda: (site.add(endpoint), dispatcher.wake()))
        await site.idle()
    assert statuses(site) == {"DELIVERED": 1}


async def test_what_other_processes_write_is_found_without_being_told(
    site: Site, endpoint: Endpoint
) -> None:
    """It looks every now and then."""
    async with Receiver().dispatcher(site.store, QUICK).running():
        site.add(endpoint)
        await site.idle()
    assert statuses(site) == {"DELIVERED": 1}


async def test_it_may_be_woken_while_it_does_not_run(site: Site, endpoint: Endpoint) -> None:
    """Before and after; nothing is sent then. It can run again."""
    receiver = Receiver()
    dispatcher = receiver.dispatcher(site.store)
    dispatcher.wake()
    site.add(endpoint)
    async with dispatcher.running():
        await site.idle()
    site.add(endpoint)
    dispatcher.wake()
    assert statuses(site) == {"DELIVERED": 1, "PENDING": 1}
    async with dispatcher.running():
        await site.idle()
    assert statuses(site) == {"DELIVERED": 2}
    assert [True, True] == [client.is_closed for client in receiver.clients]


async def test_a_fan_out_arrives_whole(site: Site) -> None:
    """500 endpoints, one event each, every one once."""
    receiver = Receiver()
    endpoints = [site.add_endpoint(f"http://r{number}.test/") for number in range(500)]
    ids = site.add_many(endpoints)
    async with receiver.dispatcher(site.store).running():
        await site.idle()
    assert sorted(ids) == sorted(receiver.deliveries)
    assert {endpoint.url for endpoint in endpoints} == {str(r.url) for r in receiver.requests}
    assert statuses(site) == {"DELIVERED": 500}


# -- trying again ---------------------------------------------------------------------------------


async def test_a_receiver_that_recovers_gets_each_once(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """Each of many fails twice; in the end each was taken once."""
    tries: Counter[str] = Counter()
    taken: Counter[str] = Counter()

    def answer(request: httpx.Request) -> int:
        delivery_id = request.headers["x-vos-delivery-id"]
        tries[delivery_id] += 1
        if tries[delivery_id] <= 2:
            return 500
        taken[delivery_id] += 1
        return 200

    ids = site.add_many([endpoint] * 100)
    dispatcher = Receiver(answer).dispatcher(site.store)
    async with dispatcher.running():
        for delay in (0, *DELAYS[:2]):
            clock.advance(delay * 1000)
            dispatcher.wake()
            await site.idle()
    assert dict.fromkeys(ids, 1) == taken
    assert dict.fromkeys(ids, 3) == tries
    assert statuses(site) == {"DELIVERED": 100}


async def test_tries_follow_the_schedule_to_its_end(
    site: Site, endpoint: Endpoint, clock: ServerClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each signed anew; then it is given up, which a person is told."""
    receiver = Receiver(lambda request: 500)
    dispatcher = receiver.dispatcher(site.store)
    delivery_id = site.add(endpoint)
    times = [START // 1000]
    async with dispatcher.running():
        await site.idle()
        for delay in DELAYS:
            assert site.delivery(delivery_id).next_attempt_at == clock.now + delay * 1000
            clock.advance(delay * 1000)
            times.append(clock.now // 1000)
            dispatcher.wake()
            await site.idle()
    signatures = [request.headers["x-vos-signature"] for request in receiver.requests]
    assert [f"t={time}" for time in times] == [text.partition(",")[0] for text in signatures]
    assert [delivery_id] * TRIES == receiver.deliveries
    assert statuses(site) == {"FAILED": 1}
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == (
        f"{delivery_id} (team.added) was given up after the last try: answered 500"
    )


async def test_luck_spreads_the_tries(site: Site, endpoint: Endpoint) -> None:
    """It is drawn for each."""
    delivery_id = site.add(endpoint)
    async with Receiver(lambda request: 500).dispatcher(site.store, luck=0.75).running():
        await site.idle()
    assert site.delivery(delivery_id).next_attempt_at == START + 1_050


async def test_a_receiver_that_asks_for_time_gets_it(site: Site, endpoint: Endpoint) -> None:
    """By Retry-After."""
    receiver = Receiver(lambda request: httpx.Response(429, headers={"retry-after": "77"}))
    delivery_id = site.add(endpoint)
    async with receiver.dispatcher(site.store).running():
        await site.idle()
    assert site.delivery(delivery_id).next_attempt_at == START + 77_000


async def test_what_is_due_soon_wakes_it_by_itself(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """Nobody writes then, and its next look would be far off."""
    answers = iter([500, 200])
    dispatcher = Receiver(lambda request: next(answers)).dispatcher(site.store, PATIENT)
    delivery_id = site.add(endpoint)
    async with dispatcher.running():
        await site.idle()
        due = site.delivery(delivery_id).next_attempt_at
        assert due is not None
        clock.now = due - 20  # it counts the milliseconds from its next look on
        dispatcher.wake()
        await site.store.read(outbox.next_due, ())
        clock.now = due
        await site.idle()
    assert statuses(site) == {"DELIVERED": 1}


async def test_a_delivery_can_be_sent_again(site: Site, endpoint: Endpoint) -> None:
    """With the same id."""
    receiver = Receiver()
    dispatcher = receiver.dispatcher(site.store, PATIENT)
    delivery_id = site.add(endpoint)
    async with dispatcher.running():
        await site.idle()
        site.resend(delivery_id)
        dispatcher.wake()
        await site.idle()
    assert [delivery_id] * 2 == receiver.deliveries
    assert site.delivery(delivery_id).status == "DELIVERED"


async def test_a_removed_endpoint_gets_nothing_more(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """What was to be tried again is cancelled; others go on."""
    receiver = Receiver(lambda request: 500 if request.url.host == "receiver.test" else 200)
    dispatcher = receiver.dispatcher(site.store)
    site.add(endpoint)
    other = site.add_endpoint("http://other.test/")
    async with dispatcher.running():
        await site.idle()
        site.remove(endpoint)
        site.add(other)
        clock.advance(86_400_000)
        dispatcher.wake()
        await site.idle()
    assert ["receiver.test", "other.test"] == [request.url.host for request in receiver.requests]
    assert statuses(site) == {"CANCELLED": 1, "DELIVERED": 1}


# -- many at once ---------------------------------------------------------------------------------


async def test_a_slow_endpoint_holds_nobody_up(site: Site) -> None:
    """It has four attempts under way, and its queue waits behind these alone."""
    release = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "slow.test":
            await release.wait()
        return httpx.Response(200)

    receiver = Receiver(answer)
    slow, quick = site.add_endpoint("http://slow.test/"), site.add_endpoint("http://quick.test/")
    site.add_many([slow] * 30)
    site.add_many([quick] * 30)
    async with receiver.dispatcher(site.store, PATIENT).running():
        async with asyncio.timeout(PATIENCE):
            while len(site.deliveries(endpoint_id=quick.id, status="DELIVERED")) < 30:
                await asyncio.sleep(0)
        assert receiver.under_way["slow.test"] == 4
        assert statuses(site) == {"DELIVERED": 30, "PENDING": 30}
        release.set()
        await site.idle()
    assert statuses(site) == {"DELIVERED": 60}
    assert receiver.most["slow.test"] == 4
    assert len(receiver.requests) == 60


async def test_many_that_fail_hold_nobody_up(site: Site, clock: ServerClock) -> None:
    """Whose last attempt was in vain has half of the room, with all others of that kind."""
    release = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "good.test":
            return httpx.Response(200)
        if len(receiver.requests) <= 30:
            return httpx.Response(500)
        await release.wait()
        return httpx.Response(200)

    receiver = Receiver(answer)
    site.add_many([site.add_endpoint(f"http://bad{number}.test/") for number in range(30)])
    good = site.add_endpoint("http://good.test/")
    dispatcher = receiver.dispatcher(site.store, PATIENT)
    async with dispatcher.running():
        await site.idle()
        clock.advance(DELAYS[0] * 1000)
        dispatcher.wake()
        await receiver.received(40)
        site.add_many([good] * 30)
        dispatcher.wake()
        async with asyncio.timeout(PATIENCE):
            while len(site.deliveries(status="DELIVERED")) < 30:
                await asyncio.sleep(0)
        assert 70 == len(receiver.requests)
        assert 10 == sum(receiver.under_way[f"bad{number}.test"] for number in range(30))
        release.set()
        await site.idle()
    assert statuses(site) == {"DELIVERED": 60}


async def test_twenty_are_under_way_at_a_time(site: Site) -> None:
    """However many endpoints wait; each that ends makes room."""
    release = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(200)

    receiver = Receiver(answer)
    site.add_many([site.add_endpoint(f"http://r{number}.test/") for number in range(50)])
    async with receiver.dispatcher(site.store, PATIENT).running():
        await receiver.received(20)
        claimed = [d for d in site.deliveries() if d.claimed_until is not None]
        assert len(claimed) == 20
        assert len(receiver.requests) == 20
        release.set()
        await site.idle()
    assert statuses(site) == {"DELIVERED": 50}


async def test_two_on_one_file_never_send_the_same_at_a_time(
    site: Site, database: Path, clock: ServerClock
) -> None:
    """Nor one after the other, when nothing fails."""

    async def answer(request: httpx.Request) -> httpx.Response:
        for _ in range(3):
            await asyncio.sleep(0)
        return httpx.Response(200)

    receiver = Receiver(answer)
    ids = site.add_many([site.add_endpoint(f"http://r{n}.test/") for n in range(30)] * 10)
    with second(site.store) as other:
        one, two = receiver.dispatcher(site.store), receiver.dispatcher(other)
        async with one.running(), two.running():
            await site.idle()
    assert len(receiver.clients) == 2
    assert dict.fromkeys(ids, 1) == Counter(receiver.deliveries)
    assert {1} == {receiver.most[delivery_id] for delivery_id in ids}
    assert statuses(site) == {"DELIVERED": 300}
