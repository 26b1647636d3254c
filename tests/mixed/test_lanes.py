"""Connections: none is lost, none is handed on half-read, and none starves another kind."""

from __future__ import annotations

import asyncio
import base64
import random
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from quatrain._async.transport import LIMIT
from quatrain._sync.lanes import Lanes
from quatrain.verity import (
    AsyncVerityClient,
    VerityClient,
    VerityConfigError,
    VerityTransportError,
)

from ._clients import KEY, QuickClock, commit, lease, use
from ._server import ANSWERS, GRANT, Exchange, Server, answer_well

FLAVOURS = pytest.mark.parametrize("flavour", ["asyncio", "trio", "sync"])


def client_of(server: Server, **settings: Any) -> AsyncVerityClient:
    return AsyncVerityClient(base_url=server.url, api_key=KEY, namespace="ns", **settings)


def sync_client_of(server: Server, **settings: Any) -> VerityClient:
    return VerityClient(base_url=server.url, api_key=KEY, namespace="ns", **settings)


def grant(exchange: Exchange) -> dict[str, Any]:
    """A grant of the very effect that was asked for."""
    return GRANT | {"effectKey": exchange.json["effectKey"]}


class Gathering:
    """Answers nobody before *size* requests wait at once; then all, each with its own grant."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.waiting: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        self.waiting.append(exchange)
        if len(self.waiting) == self.size:
            for each in self.waiting:
                each.answer(grant(each))
            self.waiting.clear()


class Storm:
    """Answers whenever it likes, and sometimes in two parts."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.then: Gathering | None = None

    async def __call__(self, exchange: Exchange) -> None:
        # a request of the storm may come in late, long after its sender was cancelled
        if self.then is not None and exchange.json["effectKey"] != "storm":
            self.then(exchange)
            return
        await asyncio.sleep(self.random.random() * 0.02)
        exchange.answer(b'{"status": "granted", ', length=300)
        await asyncio.sleep(self.random.random() * 0.01)
        exchange.raw(b" " * (299 - len('{"status": "granted", ')) + b"}")


async def all_slots_work(client: AsyncVerityClient, storm: Storm) -> None:
    """As many requests as there may be at once, and each gets its own answer."""
    storm.then = Gathering(LIMIT)
    found: dict[str, str] = {}

    async def ask(key: str) -> None:
        found[key] = (await client.request_lease("ns", {"effectKey": key})).effect_key

    async with anyio.create_task_group() as group:
        for number in range(LIMIT):
            group.start_soon(ask, f"key-{number}")
    keys = [f"key-{number}" for number in range(LIMIT)]
    assert found == {key: key for key in keys}


async def test_after_a_storm_of_cancelled_scopes_every_slot_works() -> None:
    """A thousand requests at once, cancelled at random moments; on asyncio and on trio."""
    dice, storm = random.Random(11), Storm()

    async def ask(client: AsyncVerityClient) -> None:
        with anyio.move_on_after(dice.random() * 0.2):
            try:
                await client.request_lease("ns", {"effectKey": "storm"})
            except Exception as exc:
                assert "unexpected answer" in str(exc)  # it was answered before its time

    with Server(storm) as server:
        async with client_of(server, max_retries=0) as client:
            async with anyio.create_task_group() as group:
                for _ in range(1_000):
                    group.start_soon(ask, client)
            await all_slots_work(client, storm)
    assert server.opened < 1_000


def test_after_a_storm_of_cancelled_tasks_every_slot_works() -> None:
    """The same with asyncio's own ``task.cancel()``, some twice."""
    dice, storm = random.Random(13), Storm()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with client_of(server, max_retries=0) as client:
            tasks = [
                asyncio.create_task(client.request_lease("ns", {"effectKey": "storm"}))
                for _ in range(1_000)
            ]
            for task in tasks:
                at = dice.random() * 0.2
                loop.call_later(at, task.cancel)
                loop.call_later(at + dice.random() * 0.002, task.cancel)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled = [r for r in results if isinstance(r, asyncio.CancelledError)]
            assert len(cancelled) > 500
            await all_slots_work(client, storm)

    with Server(storm) as server:
        asyncio.run(main())


def test_fifty_threads_share_a_client() -> None:
    """Each answer reaches whoever asked."""
    with Server(lambda e: e.answer(grant(e))) as server, sync_client_of(server) as client:

        def ask(key: str) -> str:
            return client.request_lease("ns", {"effectKey": key}).effect_key

        keys = [f"key-{number}" for number in range(2_000)]
        with ThreadPoolExecutor(50) as pool:
            assert list(pool.map(ask, keys)) == keys
    assert server.opened <= 50


def test_closing_while_threads_ask_leaves_nothing_open() -> None:
    """They get their answers or a typed error; the server sees every connection end."""
    with Server(lambda e: e.answer(grant(e))) as server:
        client = sync_client_of(server)
        begun = threading.Barrier(21)

        def ask(number: int) -> int:
            begun.wait()
            for done in range(10_000):
                try:
                    client.request_lease("ns", {"effectKey": f"{number}-{done}"})
                except Exception as exc:
                    assert "closed" in str(exc)
                    return done
            return 10_000

        with ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(ask, number) for number in range(20)]
            begun.wait()
            while len(server.exchanges) < 200:  # until they are all at it
                time.sleep(0.0001)
            client.close()
            assert all(future.result() < 10_000 for future in asked)
        server.settle()
        assert len(server.open) == 0


def test_a_request_that_comes_upon_a_closing_client_leaves_nothing_open() -> None:
    """It had looked before the other thread closed it."""
    with Server(answer_well) as server:
        client = sync_client_of(server)
        lanes = client._ledger.transport._lanes
        get = lanes.get

        def get_late() -> Any:
            client.close()
            return get()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes, "get", get_late)
            with pytest.raises(VerityConfigError, match="closed"):
                client.request_lease("ns", {"effectKey": "k"})
        assert not lanes
    assert server.exchanges == []


@FLAVOURS
def test_a_connection_is_used_again(flavour: str) -> None:
    """One after the other needs one."""
    with Server(answer_well) as server:
        use(flavour, server.url, *[lease()] * 20)
    assert server.opened == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_connection_that_was_used_last_is_used_next(backend: str) -> None:
    """So that those that are not needed any more grow old."""
    gathering = Gathering(3)

    async def main() -> None:
        async with client_of(server) as client:
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(client.request_lease, "ns", {"effectKey": "k"})
            gathering.size = 1
            for _ in range(5):
                await client.request_lease("ns", {"effectKey": "k"})

    with Server(gathering) as server:
        anyio.run(main, backend=backend)
    assert server.opened == 3
    assert len(set(server.connections[3:])) == 1


@FLAVOURS
def test_a_half_read_answer_ends_its_connection(flavour: str) -> None:
    """The rest of it would be taken for the next answer."""

    def half(exchange: Exchange) -> None:
        if len(server.exchanges) == 1:
            exchange.answer(b'{"status": ', length=100)
        else:
            exchange.answer(grant(exchange))

    with Server(half) as server:
        with pytest.raises(VerityTransportError):
            use(flavour, server.url, lease(), timeout=0.05)
        (granted,) = use(flavour, server.url, lease("after"))
    assert granted.effect_key == "after"
    assert server.connections == [1, 2]


async def test_a_cancelled_request_ends_its_connection() -> None:
    """Its answer may still come."""
    begun = anyio.Event()
    holding: list[Exchange] = []

    def hold(exchange: Exchange) -> None:
        if not holding:
            holding.append(exchange)
        else:
            exchange.answer(grant(exchange))

    with Server(hold) as server:
        async with client_of(server) as client:
            async with anyio.create_task_group() as group:

                async def ask() -> None:
                    begun.set()
                    await client.request_lease("ns", {"effectKey": "cancelled"})

                group.start_soon(ask)
                await begun.wait()
                while not holding:
                    await anyio.sleep(0.001)
                group.cancel_scope.cancel()
            granted = await client.request_lease("ns", {"effectKey": "after"})
    assert granted.effect_key == "after"
    assert server.connections == [1, 2]


@FLAVOURS
def test_a_server_that_hangs_up_an_idle_connection_is_not_noticed(flavour: str) -> None:
    """A new one is made, and no request is lost to the old."""
    hung_up: list[int] = []

    def answer(exchange: Exchange) -> None:
        answer_well(exchange)
        if len(server.exchanges) < 4:
            exchange.writer.close()
            hung_up.append(exchange.connection)

    with Server(answer) as server:
        clock = QuickClock()
        if flavour == "sync":
            with sync_client_of(server, clock=clock, max_retries=0) as client:
                for _ in range(5):
                    client.request_lease("ns", {"effectKey": "k"})
                    server.settle()
        else:

            async def main() -> None:
                async with client_of(server, max_retries=0) as client:
                    for _ in range(5):
                        await client.request_lease("ns", {"effectKey": "k"})
                        await anyio.to_thread.run_sync(server.settle)

            anyio.run(main, backend=flavour)
    assert server.connections == [1, 2, 3, 4, 4]


@FLAVOURS
def test_connection_close_is_heeded(flavour: str) -> None:
    """A server that says so gets a new connection each time."""
    headers = ("Connection: close",)
    with Server(lambda e: e.answer(GRANT, headers=headers)) as server:
        use(flavour, server.url, *[lease()] * 3)
    assert server.connections == [1, 2, 3]


async def test_full_main_lanes_starve_neither_commits_nor_renewals() -> None:
    """Each kind has connections of its own."""

    def hold_leases(exchange: Exchange) -> None:
        if not exchange.target.endswith("lease"):
            answer_well(exchange)

    with Server(hold_leases) as server:
        async with client_of(server) as client, anyio.create_task_group() as group:
            for _ in range(LIMIT * 2):
                group.start_soon(client.request_lease, "ns", {"effectKey": "k"})
            while len(server.exchanges) < LIMIT:
                await anyio.sleep(0.001)
            method, arguments = commit()
            committed = await getattr(client, method)(**arguments)
            holder = {"effectKey": "k", "fenceToken": 1, "leaseToken": "t"}
            renewed = await client.renew("ns", holder)
            group.cancel_scope.cancel()
    assert committed.status == ANSWERS["commit"]["status"]
    assert renewed.status == ANSWERS["renew"]["status"]
    leases = [e for e in server.exchanges if e.target.endswith("lease")]
    assert len(leases) == LIMIT


class MovedClock(QuickClock):
    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


def test_a_connection_that_was_idle_for_long_is_closed() -> None:
    """When the next is given back: the server sees it end."""
    gathering = Gathering(2)
    clock = MovedClock()
    with Server(gathering) as server, sync_client_of(server, clock=clock) as client:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: client.request_lease("ns", {"effectKey": "k"}), range(2)))
        gathering.size = 1
        client.request_lease("ns", {"effectKey": "k"})
        server.settle()
        assert len(server.open) == 2
        clock.ahead = 60.0
        client.request_lease("ns", {"effectKey": "k"})
        server.settle()
        assert len(server.open) == 1


class StubLane:
    """Answers at once."""

    status = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def handle_request(self, request: Any) -> Any:
        return self

    def read(self) -> bytes:
        return b"answer"

    def close(self) -> None:
        pass


class Stealing(deque[Any]):
    """Idle lanes that another thread takes the moment they are there."""

    def append(self, item: Any) -> None:
        super().append(item)
        self.pop()


def test_a_lane_may_be_taken_the_moment_it_is_given_back() -> None:
    """By another thread; the answer that came over it is not lost."""
    lanes = Lanes(StubLane, limit=1, clock=QuickClock())  # type: ignore[arg-type]
    lanes._idle = Stealing()
    request: Any = None
    assert lanes.exchange(request).content == b"answer"


@pytest.mark.parametrize("form", ["http://user:p%40ss@{}", "user:p%40ss@{}"])
async def test_proxies_are_gone_through(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The environment's, for an origin that is not on loopback; the key goes through it."""

    def proxy(exchange: Exchange) -> None:
        exchange.answer(grant(exchange))

    with Server(proxy) as server:
        monkeypatch.setenv("http_proxy", form.format(f"127.0.0.1:{server.port}"))
        async with AsyncVerityClient(
            base_url="http://ledger.invalid:8080/v1", api_key=KEY, allow_insecure=True
        ) as client:
            granted = await client.request_lease("ns", {"effectKey": "k"})
    assert granted.effect_key == "k"
    [exchange] = server.exchanges
    assert exchange.target == "http://ledger.invalid:8080/v1/effects/ns/lease"
    credentials = base64.b64encode(b"user:p@ss").decode()
    assert exchange.headers["proxy-authorization"] == f"Basic {credentials}"
