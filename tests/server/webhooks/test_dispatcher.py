"""The dispatcher: every delivery arrives, once if nobody dies, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from quatrain.server.store import SqliteStore
from quatrain.server.webhooks import Dispatcher, Endpoint, Pace, outbox
from quatrain.server.webhooks.schedule import DELAYS, TRIES

from .._support import START, ServerClock
from ._support import PATIENCE, QUICK, Counting, Receiver, Site, workers

PATIENT = Pace(poll=3_600)
"""Looks only when it is woken, or when something is due."""


def statuses(site: Site) -> Counter[str]:
    return Counter(delivery.status.value for delivery in site.deliveries())


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
    with SqliteStore(database, now_ms=clock) as other:
        one, two = receiver.dispatcher(site.store), receiver.dispatcher(other)
        async with one.running(), two.running():
            await site.idle()
    assert len(receiver.clients) == 2
    assert dict.fromkeys(ids, 1) == Counter(receiver.deliveries)
    assert {1} == {receiver.most[delivery_id] for delivery_id in ids}
    assert statuses(site) == {"DELIVERED": 300}


# -- stopping, dying ------------------------------------------------------------------------------


async def test_what_is_under_way_may_end(site: Site, endpoint: Endpoint) -> None:
    """When it is told to stop; nothing new is begun."""
    release = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(200)

    receiver = Receiver(answer)
    running = receiver.dispatcher(site.store).running()
    site.add_many([endpoint] * 6)
    await running.__aenter__()
    await receiver.received(4)
    stopping = asyncio.create_task(running.__aexit__(None, None, None))
    async with asyncio.timeout(PATIENCE):
        while workers():
            await asyncio.sleep(0)
    for _ in range(5):  # a turn to see that the worker has ended, a few to act on it
        await asyncio.sleep(0)
    release.set()
    await stopping
    assert statuses(site) == {"DELIVERED": 4, "PENDING": 2}
    assert [0, 0] == [delivery.attempts for delivery in site.deliveries(status="PENDING")]


async def test_an_idle_one_stops_at_once(site: Site) -> None:
    """Whatever it waits for."""
    pace = Pace(poll=3_600, grace=3_600)
    with Counting(site.store) as store:
        async with asyncio.timeout(PATIENCE), Receiver().dispatcher(store, pace).running():
            await store.has_read(1)


async def test_what_was_cut_off_is_sent_by_the_next(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """After its claim has ended, and not before."""
    receiver = Receiver(lambda request: asyncio.Future())
    delivery_id = site.add(endpoint)
    async with receiver.dispatcher(site.store, Pace(grace=0)).running():
        await receiver.received(1)
    assert site.delivery(delivery_id).claimed_until == START + 30_000
    assert receiver.under_way[delivery_id] == 0

    receiver = Receiver()
    dispatcher = receiver.dispatcher(site.store)
    async with dispatcher.running():
        clock.advance(29_999)
        dispatcher.wake()
        other = site.add(endpoint)
        await receiver.received(1)
        assert [other] == receiver.deliveries
        clock.advance(1)
        dispatcher.wake()
        await site.idle()
    assert [other, delivery_id] == receiver.deliveries
    assert site.delivery(delivery_id).attempts == 2


async def test_a_restart_goes_on_with_the_tries(
    site: Site, endpoint: Endpoint, clock: ServerClock, database: Path
) -> None:
    """Where the last process left them."""
    delivery_id = site.add(endpoint)
    async with Receiver(lambda request: 500).dispatcher(site.store).running():
        await site.idle()
    site.store.close()
    clock.advance(1_000)
    site.store.open()
    async with Receiver(lambda request: 500).dispatcher(site.store).running():
        await site.idle()
    delivery = site.delivery(delivery_id)
    assert (delivery.attempts, delivery.next_attempt_at) == (2, clock.now + 5_000)


async def test_who_stood_still_since_its_claim_does_not_send(
    site: Site, endpoint: Endpoint, clock: ServerClock
) -> None:
    """The claim might end during the attempt, and somebody else begin one."""
    receiver = Receiver()
    delivery_id = site.add(endpoint)

    class Slow(SqliteStore):
        async def write(self, operation, argument):  # type: ignore[no-untyped-def]
            answer = await site.store.write(operation, argument)
            if operation is outbox.claim and len(answer) and not receiver.clients[0].is_closed:
                clock.advance(20_001 if site.delivery(delivery_id).attempts == 1 else 20_000)
            return answer

    slow = Slow(site.store._file.path, now_ms=clock)
    with slow:
        dispatcher = receiver.dispatcher(slow)
        async with dispatcher.running():
            async with asyncio.timeout(PATIENCE):
                while not site.delivery(delivery_id).attempts:
                    await asyncio.sleep(0)
            clock.now = START + 30_000
            dispatcher.wake()
            await site.idle()
    assert [delivery_id] == receiver.deliveries
    assert site.delivery(delivery_id).attempts == 2


def test_a_claim_outlasts_its_attempt() -> None:
    """Anything else would be sent twice at a time."""
    with pytest.raises(ValueError, match="outlast"):
        Pace(attempt=10.0, claim=10.0)


# -- what can go wrong ----------------------------------------------------------------------------


async def test_an_outage_of_the_database_is_survived(
    site: Site, endpoint: Endpoint, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning, however long it lasts; the next outage has its own."""
    caplog.set_level(logging.DEBUG, "quatrain.server.webhooks")
    elsewhere = database.with_name("elsewhere.db")

    def complaints(level: int) -> int:
        return sum(
            "can't be found" in record.getMessage() and record.levelno >= level
            for record in caplog.records
        )

    receiver = Receiver()
    async with receiver.dispatcher(site.store).running():
        for outage in (1, 2):
            database.rename(elsewhere)
            before = complaints(logging.DEBUG)
            async with asyncio.timeout(PATIENCE):
                while complaints(logging.DEBUG) < before + 5:
                    await asyncio.sleep(0)
            elsewhere.rename(database)
            site.add(endpoint)
            await site.idle()
            assert complaints(logging.WARNING) == outage
    assert statuses(site) == {"DELIVERED": 2}
    assert len(receiver.requests) == 2


async def test_an_outcome_is_noted_when_the_database_is_back(
    site: Site, endpoint: Endpoint, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So what was taken is not sent again."""
    elsewhere = database.with_name("elsewhere.db")

    def answer(request: httpx.Request) -> int:
        database.rename(elsewhere)
        return 200

    receiver = Receiver(answer)
    site.add(endpoint)
    async with receiver.dispatcher(site.store).running():
        async with asyncio.timeout(PATIENCE):
            while "can't be noted" not in caplog.text:
                await asyncio.sleep(0)
        elsewhere.rename(database)
        await site.idle()
    assert statuses(site) == {"DELIVERED": 1}
    assert len(receiver.requests) == 1
    assert caplog.text.count("can't be noted") == 1


async def test_an_outcome_that_could_not_be_noted_in_time_is_given_up(
    site: Site, endpoint: Endpoint, database: Path, clock: ServerClock
) -> None:
    """The delivery is sent again then: its claim has ended."""
    elsewhere = database.with_name("elsewhere.db")

    def answer(request: httpx.Request) -> int:
        if len(receiver.requests) == 1:
            database.rename(elsewhere)
            clock.advance(30_000)
        return 200

    receiver = Receiver(answer)
    site.add(endpoint)
    dispatcher = receiver.dispatcher(site.store)
    async with dispatcher.running():
        run = dispatcher._run
        assert run is not None
        await receiver.received(1)
        async with asyncio.timeout(PATIENCE):
            while run._background.under_way:
                await asyncio.sleep(0)
        elsewhere.rename(database)
        await site.idle()
    assert statuses(site) == {"DELIVERED": 1}
    assert len(receiver.requests) == 2


async def test_any_other_failure_is_survived_too(
    site: Site, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """And told with its traceback; nothing was claimed for nothing."""
    receiver = Receiver()
    failures = [ZeroDivisionError("first"), ZeroDivisionError("second")]

    def make_client() -> httpx.AsyncClient:
        if failures:
            raise failures.pop(0)
        return receiver.make_client()

    delivery_id = site.add(endpoint)
    dispatcher = Dispatcher(site.store, make_client=make_client, pace=QUICK)
    async with dispatcher.running():
        await site.idle()
    assert site.delivery(delivery_id).attempts == 1
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.exc_info is not None
    assert warning.exc_info[0] is ZeroDivisionError


async def test_an_attempt_that_breaks_is_told_and_leaves_room(
    site: Site, endpoint: Endpoint, clock: ServerClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was about is sent again when its claim has ended."""
    receiver = Receiver()
    numbers = iter([0, 0.5])
    dispatcher = Dispatcher(
        site.store,
        make_client=receiver.make_client,
        luck=lambda: 1 / next(numbers),
        pace=Pace(poll=0.001, at_once=1),
    )
    site.add(endpoint)
    async with dispatcher.running():
        async with asyncio.timeout(PATIENCE):
            while "ended in an error" not in caplog.text:
                await asyncio.sleep(0)
        clock.advance(30_000)
        dispatcher.wake()
        await site.idle()
    assert statuses(site) == {"DELIVERED": 1}
    assert "ZeroDivisionError" in caplog.text


async def test_nothing_shows_a_secret(
    site: Site, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """No log, no error on the row."""
    caplog.set_level(logging.DEBUG, "quatrain")

    async def text() -> AsyncIterator[bytes]:
        yield b"whsec_secret"

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, content=text())

    site.add(endpoint)
    async with Receiver(answer).dispatcher(site.store).running():
        await site.idle()
    assert "answered 500: ****" in caplog.text
    assert "whsec_secret" not in caplog.text + repr(site.deliveries())


async def test_an_empty_outbox_costs_one_read_a_look(site: Site, endpoint: Endpoint) -> None:
    """No transaction, and no client is made."""
    receiver = Receiver()
    with Counting(site.store) as store:
        dispatcher = receiver.dispatcher(store, PATIENT)
        async with dispatcher.running():
            for looks in (1, 2, 3):
                await store.has_read(looks)
                assert (store.reads, store.writes) == (looks, 0)
                dispatcher.wake()
    assert receiver.clients == []


async def test_an_endpoint_that_is_full_costs_no_more_than_an_empty_one(
    site: Site, endpoint: Endpoint
) -> None:
    """However much waits for it: it is looked at again when one of its attempts ends."""
    release = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(200)

    receiver = Receiver(answer)
    site.add_many([endpoint] * 10)
    with Counting(site.store) as store:
        dispatcher = receiver.dispatcher(store, PATIENT)
        async with dispatcher.running():
            await receiver.received(4)
            for looks in (2, 3, 4):
                await store.has_read(looks)
                assert (store.reads, store.writes) == (looks, 1)
                dispatcher.wake()
            release.set()
            await site.idle()
    assert statuses(site) == {"DELIVERED": 10}


async def test_who_is_second_to_claim_rests(site: Site, endpoint: Endpoint) -> None:
    """It does not ask again and again for what another has."""
    site.add(endpoint)
    with Counting(site.store) as store:
        store.claims_nothing = True
        dispatcher = Receiver().dispatcher(store, PATIENT)
        async with dispatcher.running():
            for looks in (1, 2, 3):
                await store.has_read(looks)
                await site.store.read(outbox.next_due, ())
                assert (store.reads, store.writes) == (looks, looks)
                dispatcher.wake()
