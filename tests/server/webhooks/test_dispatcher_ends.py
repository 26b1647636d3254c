"""The dispatcher: stopping, dying, and what can go wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from quatrain.server.webhooks import Dispatcher, Endpoint, Pace, outbox

from .._support import START, ServerClock, second
from ._support import PATIENCE, PATIENT, QUICK, Counting, Receiver, Site, statuses, workers

# -- stopping, dying ------------------------------------------------------------------------------


async def test_what_is_under_way_may_end(site: Site, endpoint: Endpoint) -> None:
    """When it is told to stop; nothing new is begun."""
    release = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(200)

    receiver = Receiver(answer)
    running = receiver.dispatcher(site.store, Pace(poll=0.001, grace=PATIENCE)).running()
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
    with second(site.store, Counting) as store:
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

    class Slow:
        async def write(self, operation, argument):  # type: ignore[no-untyped-def]
            answer = await site.store.write(operation, argument)
            if operation is outbox.claim and len(answer) and not receiver.clients[0].is_closed:
                clock.advance(20_001 if site.delivery(delivery_id).attempts == 1 else 20_000)
            return answer

    with second(site.store, Slow) as slow:
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


@pytest.mark.on_file
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


@pytest.mark.on_file
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


@pytest.mark.on_file
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
    with second(site.store, Counting) as store:
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
    with second(site.store, Counting) as store:
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
    with second(site.store, Counting) as store:
        store.claims_nothing = True
        dispatcher = Receiver().dispatcher(store, PATIENT)
        async with dispatcher.running():
            for looks in (1, 2, 3):
                await store.has_read(looks)
                await site.store.read(outbox.next_due, ())
                assert (store.reads, store.writes) == (looks, looks)
                dispatcher.wake()
