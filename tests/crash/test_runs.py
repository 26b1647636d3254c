"""Servers that are killed in the middle of runs: each run ends once, with one pack of evidence."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from collections import Counter
from concurrent.futures import Future

import pytest

from quatrain.server.store import store_on
from quatrain.server.velerian import audit
from quatrain.server.velerian.claims import MAX_ATTEMPTS
from tests.mixed._server import Exchange
from tests.mixed._server import Server as Model
from tests.server.velerian._runs import Place, make_place

from ._processes import PATIENCE, SEEDS, Server, Site

CLAIM_MS = 30_000


def ends(place: Place) -> list[str]:
    """The runs whose end is in the audit log, in order."""
    return [run_id for action, run_id, _ in place.audit() if action == "run.finish"]


async def whole(place: Place) -> bool:
    """Whether the audit log and the evidence have no gap, and nothing altered."""
    sequences = [pack["sequence"] for pack in place.packs()]
    broken = await place.store.read(audit.first_broken, "acme")
    return broken is None and sequences == list(range(1, len(sequences) + 1))


async def test_what_was_queued_while_no_server_ran_is_executed(site: Site) -> None:
    """And what another process queues while one runs."""
    with (
        store_on(site.database, now_ms=site.clock) as store,
        Model(lambda exchange: exchange.answer(b"said")) as model,
    ):
        place = await make_place(store)
        ids = [await place.ask(model.url)]
        site.serve()
        await place.over()
        ids.append(await place.ask(model.url))
        await place.over()
        assert ["said", "said"] == [(await place.run(run_id)).output_text for run_id in ids]
        assert ids == ends(place)
        assert 2 == len(model.exchanges)


async def test_what_was_under_way_is_begun_again_by_the_next_server(site: Site) -> None:
    """When the claim of the dead one has ended; its evidence says how often it was begun."""
    held = threading.Event()

    def hold(exchange: Exchange) -> None:
        held.set()

    with store_on(site.database, now_ms=site.clock) as store, Model(hold) as model:
        place = await make_place(store)
        run_id = await place.ask(model.url)
        server = site.serve()
        assert await asyncio.to_thread(held.wait, PATIENCE)
        server.kill()
        assert "running" == (await place.run(run_id)).status
        assert [] == place.packs()

        model.handler = lambda exchange: exchange.answer(b"said")
        site.clock.advance(CLAIM_MS)
        server.start()
        await place.over()
        run = await place.run(run_id)
        (pack,) = place.packs()
        assert ("succeeded", "said", 2) == (run.status, run.output_text, run.attempts)
        assert (run.pack_id, 2, "said") == (
            *(pack["pack_id"], pack["attempts"], pack["output_text"]),
        )
        assert [run_id] == ends(place)
        assert await whole(place)
    assert 2 == len(model.exchanges)


async def test_a_run_that_is_the_death_of_every_server_is_given_up(site: Site) -> None:
    """Begun once, and three times again; others are executed all the same."""
    asked = threading.Semaphore(0)

    def hold(exchange: Exchange) -> None:
        asked.release()

    with store_on(site.database, now_ms=site.clock) as store, Model(hold) as model:
        place = await make_place(store)
        run_id = await place.ask(model.url)
        server = site.serve()
        for _ in range(MAX_ATTEMPTS):
            assert await asyncio.to_thread(asked.acquire, timeout=PATIENCE)
            server.kill()
            site.clock.advance(CLAIM_MS)
            server.start()
        await place.over()
        run = await place.run(run_id)
        assert ("failed", "the platform ended in the middle of it, 4 times") == (
            *(run.status, run.error),
        )
        model.handler = lambda exchange: exchange.answer(b"said")
        other = await place.ask(model.url)
        await place.over()
        assert [run_id, other] == ends(place)
        assert ["failed", "succeeded"] == [pack["status"] for pack in place.packs()]
    assert MAX_ATTEMPTS + 1 == len(model.exchanges)


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_many_each_ends_once(seed: int, site: Site) -> None:
    """The server is killed at any moment; only what was under way is begun again."""
    victim: Future[Server] = Future()
    fatal = random.Random(seed).randint(1, 35)

    def answer(exchange: Exchange) -> None:
        if len(model.exchanges) == fatal:
            victim.result(PATIENCE).kill()
        exchange.answer(exchange.target.encode())

    with store_on(site.database, now_ms=site.clock) as store, Model(answer) as model:
        place = await make_place(store)
        ids = [await place.ask(f"{model.url}/{number}") for number in range(40)]
        server = site.serve()
        victim.set_result(server)
        await asyncio.to_thread(server.process.wait, PATIENCE)
        assert set(await place.statuses()) & {"queued", "running"}

        site.clock.advance(CLAIM_MS)
        server.start()
        await place.over()
        assert ["succeeded"] * 40 == await place.statuses()
        assert dict.fromkeys(ids, 1) == Counter(ends(place))
        assert dict.fromkeys(ids, 1) == Counter(pack["subject_id"] for pack in place.packs())
        assert [f"/v1/{number}" for number in range(40)] == [
            (await place.run(run_id)).output_text for run_id in ids
        ]
        assert await whole(place)
    counts = Counter(exchange.target for exchange in model.exchanges)
    assert sum(count > 1 for count in counts.values()) <= 4
    assert set(counts.values()) <= {1, 2}


async def test_a_server_that_was_stopped_has_no_say_any_more(site: Site) -> None:
    """When it wakes up, another has ended its run; what its model said is not noted."""
    held: list[Exchange] = []
    first = threading.Event()

    def hold(exchange: Exchange) -> None:
        held.append(exchange)
        first.set()

    with store_on(site.database, now_ms=site.clock) as store, Model(hold) as model:
        place = await make_place(store)
        run_id = await place.ask(model.url)
        zombie = site.serve()
        assert await asyncio.to_thread(first.wait, PATIENCE)
        zombie.process.send_signal(signal.SIGSTOP)

        model.handler = lambda exchange: exchange.answer(b"in time")
        site.clock.advance(CLAIM_MS)
        site.serve()
        await place.over()
        ended = await place.run(run_id)
        assert ("succeeded", 2, "in time") == (ended.status, ended.attempts, ended.output_text)

        zombie.process.send_signal(signal.SIGCONT)
        model.loop.call_soon_threadsafe(held[0].answer, b"too late")
        # it ends by itself, and in order: what it had under way has been settled by then
        zombie.process.terminate()
        assert -signal.SIGTERM == await asyncio.to_thread(zombie.process.wait, PATIENCE)
        assert ended == await place.run(run_id)
        assert [run_id] == ends(place)
        assert 1 == len(place.packs())
