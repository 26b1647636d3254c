"""Servers that are killed between a change and its webhooks: every one arrives nevertheless."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from collections import Counter
from concurrent.futures import Future

import pytest

from quatrain.server.store import store_on
from tests.mixed._server import Exchange
from tests.mixed._server import Server as Receiver
from tests.server.webhooks._support import make_site

from ._processes import PATIENCE, SEEDS, Server, Site

CLAIM_MS = 30_000


def received(receiver: Receiver) -> Counter[str]:
    """How often each delivery came in."""
    return Counter(exchange.headers["x-vos-delivery-id"] for exchange in receiver.exchanges)


async def test_what_was_written_while_no_server_ran_is_sent(site: Site) -> None:
    """And what another process writes while one runs."""
    with (
        store_on(site.database, now_ms=site.clock) as store,
        Receiver(lambda exchange: exchange.answer()) as receiver,
    ):
        webhooks = make_site(store)
        endpoint = webhooks.add_endpoint(receiver.url)
        ids = [webhooks.add(endpoint)]
        site.serve()
        await webhooks.idle()
        ids.append(webhooks.add(endpoint))
        await webhooks.idle()
    assert dict.fromkeys(ids, 1) == received(receiver)


async def test_what_was_under_way_is_sent_by_the_next_server(site: Site) -> None:
    """The receiver held the request when the server died; nobody knows whether it was taken."""
    held = threading.Event()

    def hold(exchange: Exchange) -> None:
        held.set()

    with store_on(site.database, now_ms=site.clock) as store, Receiver(hold) as receiver:
        webhooks = make_site(store)
        delivery_id = webhooks.add(webhooks.add_endpoint(receiver.url), payload='{"a": 1}')
        server = site.serve()
        assert await asyncio.to_thread(held.wait, PATIENCE)
        server.kill()
        assert webhooks.delivery(delivery_id).status == "PENDING"

        receiver.handler = lambda exchange: exchange.answer()
        site.clock.advance(CLAIM_MS)
        server.start()
        await webhooks.idle()
        assert webhooks.delivery(delivery_id).status == "DELIVERED"
    assert {delivery_id: 2} == received(receiver)
    assert {b'{"a": 1}'} == {exchange.body for exchange in receiver.exchanges}


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_many_none_is_lost(seed: int, site: Site) -> None:
    """The server is killed at any moment; only what was under way comes twice."""
    victim: Future[Server] = Future()
    fatal = random.Random(seed).randint(1, 80)

    def answer(exchange: Exchange) -> None:
        if len(receiver.exchanges) == fatal:
            victim.result(PATIENCE).kill()
        exchange.answer()

    with store_on(site.database, now_ms=site.clock) as store, Receiver(answer) as receiver:
        webhooks = make_site(store)
        ids = webhooks.add_many([webhooks.add_endpoint(receiver.url) for _ in range(10)] * 10)
        server = site.serve()
        victim.set_result(server)
        await asyncio.to_thread(server.process.wait, PATIENCE)
        assert len(webhooks.deliveries(status="DELIVERED")) < 100

        site.clock.advance(CLAIM_MS)
        server.start()
        await webhooks.idle()
        statuses = Counter(delivery.status.value for delivery in webhooks.deliveries())
    counts = received(receiver)
    assert {"DELIVERED": 100} == statuses
    assert sorted(ids) == sorted(counts)
    assert sum(count > 1 for count in counts.values()) <= 20
    assert set(counts.values()) <= {1, 2}


async def test_a_server_that_was_stopped_has_no_say_any_more(site: Site) -> None:
    """When it wakes up, another has sent what it held; its own outcome is not noted."""
    held: list[Exchange] = []
    first = threading.Event()

    def hold(exchange: Exchange) -> None:
        held.append(exchange)
        first.set()

    with store_on(site.database, now_ms=site.clock) as store, Receiver(hold) as receiver:
        webhooks = make_site(store)
        delivery_id = webhooks.add(webhooks.add_endpoint(receiver.url))
        zombie = site.serve()
        assert await asyncio.to_thread(first.wait, PATIENCE)
        zombie.process.send_signal(signal.SIGSTOP)

        receiver.handler = lambda exchange: exchange.answer(b"", 202)
        site.clock.advance(CLAIM_MS)
        site.serve()
        await webhooks.idle()
        delivered = webhooks.delivery(delivery_id)
        assert ("DELIVERED", 2, 202) == (
            delivered.status, delivered.attempts, delivered.last_status,
        )  # fmt: skip

        zombie.process.send_signal(signal.SIGCONT)
        receiver.loop.call_soon_threadsafe(held[0].answer, b"", 500)
        # it ends by itself, and in order: what it had under way has been settled by then
        zombie.process.terminate()
        assert await asyncio.to_thread(zombie.process.wait, PATIENCE) == -signal.SIGTERM
        assert delivered == webhooks.delivery(delivery_id)
