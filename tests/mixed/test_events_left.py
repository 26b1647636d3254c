"""The async stream of events over real sockets: whatever ends it, its connection closes at once."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from quatrain._async.events import AsyncEventStream
from quatrain._runtime._async import SYSTEM_CLOCK

from .._events import AsyncPlatform
from ._feed import HEAD, Feed, Torrent, event, is_left, numbers, url_of
from ._server import Exchange, Server
from ._tasks import Task, is_cancellation


async def left(server: Server) -> bool:
    """After the turns that what was left needs to be closed."""
    for _ in range(30):
        await anyio.lowlevel.checkpoint()
    return await anyio.to_thread.run_sync(is_left, server)


async def take(stream: AsyncEventStream, count: int) -> list[Any]:
    """The next *count* messages."""
    return [await anext(stream) for _ in range(count)]


@pytest.fixture(params=["lane", "client"])
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Made for a server's URL: over a connection of its own, or over a caller's client."""
    async with httpx.AsyncClient() as http:

        def make(server: Server) -> AsyncPlatform:
            client = http if request.param == "client" else None
            return AsyncPlatform(url_of(server), clock=SYSTEM_CLOCK, http_client=client)

        yield make


async def test_many_events_over_connections_that_break_off(platform: Any) -> None:
    """All of them, in order and once, wherever each is cut."""
    torrent = Torrent(50_000, each=9_973)
    with Server(torrent) as server:
        async with platform(server) as made:
            stream = made.events.subscribe(max_backoff_sec=0)
            assert numbers(await take(stream, 50_000)) == list(range(1, 50_001))
            assert torrent.resumed == [0, 9_973, 19_946, 29_919, 39_892, 49_865]
            assert stream.last_event_id == "50000"
            await stream.aclose()
            assert await left(server)


async def test_silence_is_given_up(platform: Any) -> None:
    """Neither an event nor a heartbeat has come: another connection is opened."""
    feed = Feed((HEAD + event(1),), (HEAD + event(2),))
    with Server(feed) as server:
        async with platform(server) as made:
            stream = made.events.subscribe(max_backoff_sec=0, heartbeat_timeout=0.05)
            assert numbers(await take(stream, 2)) == [1, 2]
            assert feed.resumed == [None, "1"]
            assert len(server.open) == 1
            await stream.aclose()


async def test_breaking_off(platform: Any) -> None:
    """The stream may be held: its loop is over."""
    with Server(Feed((HEAD + event(1) + event(2),))) as server:
        async with platform(server) as made:
            async for _ in made.events.subscribe():
                break
            assert await left(server)
            stream = made.events.subscribe()
            async for _ in stream:
                break
            assert await left(server)
            assert stream.last_event_id == "1"


async def test_an_error_in_the_loop(platform: Any) -> None:
    """It comes out as it is."""

    async def loop(stream: AsyncEventStream) -> None:
        async for _ in stream:
            raise LookupError("own")

    with Server(Feed((HEAD + event(1),))) as server:
        async with platform(server) as made:
            stream = made.events.subscribe()
            with pytest.raises(LookupError, match="own"):
                await loop(stream)
            assert await left(server)


async def test_a_stream_in_a_cycle(platform: Any) -> None:
    """The collector finds it, in any thread."""
    with Server(Feed((HEAD + event(1),))) as server:
        async with platform(server) as made:
            holder: list[Any] = [made.events.subscribe()]
            holder.append(holder)
            await take(holder[0], 1)
            del holder
            await anyio.to_thread.run_sync(gc.collect)
            assert await left(server)


async def test_cancelled_while_it_waits_for_an_event(platform: Any, task: Task) -> None:
    """The connection is closed before the cancellation goes on; the stream may go on too."""
    feed = Feed((HEAD + event(1) + b"id: 2\ndata:",), (HEAD + event(2),))
    with Server(feed) as server:
        async with platform(server) as made:
            stream = made.events.subscribe()
            got_one = anyio.Event()

            async def run() -> None:
                try:
                    async for _ in stream:
                        got_one.set()
                finally:
                    assert stream._inlet is not None
                    assert not stream._inlet.is_open

            async with anyio.create_task_group() as group:
                group.start_soon(task.run, run)
                await got_one.wait()
                task.cancel()
            assert is_cancellation(task.outcome)
            assert await left(server)
            assert numbers(await take(stream, 1)) == [2]
            assert feed.resumed == [None, "1"]
            await stream.aclose()


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("whose", ["stream", "client"])
async def test_closed_by_another_task(platform: Any, whose: str, answered: bool) -> None:
    """The loop ends; also where the platform has not answered yet."""
    asked = anyio.Event()
    loop_of_test = anyio.lowlevel.current_token()

    def handler(exchange: Exchange) -> None:
        if answered:
            exchange.raw(HEAD + event(1))
        anyio.from_thread.run_sync(asked.set, token=loop_of_test)

    found: list[Any] = []
    ended = False

    async def run() -> None:
        nonlocal ended
        async for message in stream:
            found.append(message)  # noqa: PERF401 - seen by another task
        ended = True

    with Server(handler) as server:
        async with platform(server) as made:
            stream = made.events.subscribe()
            async with anyio.create_task_group() as group:
                group.start_soon(run)
                await asked.wait()
                if answered:
                    while not found:
                        await anyio.lowlevel.checkpoint()
                await (stream if whose == "stream" else made.transport).aclose()
            assert ended
            assert numbers(found) == ([1] if answered else [])
            assert await left(server)


async def test_closed_while_it_waits_before_a_reconnect() -> None:
    """However long that would be."""
    with Server(
        lambda exchange: exchange.answer(status=503, headers=("retry-after: 300",))
    ) as server:
        async with AsyncPlatform(url_of(server), clock=SYSTEM_CLOCK) as made:
            stream = made.events.subscribe()

            async def run() -> None:
                assert [message async for message in stream] == []

            async with anyio.create_task_group() as group:
                group.start_soon(run)
                while not server.exchanges or not await left(server):
                    await anyio.lowlevel.checkpoint()
                await stream.aclose()


async def test_two_loops_at_once(platform: Any) -> None:
    """The second is told so, and the first goes on."""
    feed = Feed((HEAD,))
    with Server(feed) as server:
        async with platform(server) as made:
            stream = made.events.subscribe()

            async def run() -> None:
                assert [message async for message in stream] == []

            async with anyio.create_task_group() as group:
                group.start_soon(run)
                await anyio.to_thread.run_sync(feed.sent.wait)
                with pytest.raises(RuntimeError, match="waited for already"):
                    await anext(stream)
                await stream.aclose()


@pytest.mark.parametrize("broken_off", [True, False])
@pytest.mark.parametrize(
    "backends", [("asyncio", "trio"), ("trio", "asyncio"), ("asyncio", "asyncio")]
)
def test_over_event_loops(backends: tuple[str, str], broken_off: bool) -> None:
    """Each closes its connection when it ends, and the stream goes on with the next."""
    feed = Feed((HEAD + event(1),), (HEAD + event(2),))

    async def first(stream: AsyncEventStream) -> list[Any]:
        if not broken_off:
            return await take(stream, 1)
        return [message async for message in aiter_once(stream)]

    with Server(feed) as server:
        made = AsyncPlatform(url_of(server), clock=SYSTEM_CLOCK)
        stream = made.events.subscribe()
        assert numbers(anyio.run(first, stream, backend=backends[0])) == [1]
        assert is_left(server)
        assert numbers(anyio.run(first, stream, backend=backends[1])) == [2]
        assert feed.resumed == [None, "1"]
        assert is_left(server)
        anyio.run(made.transport.aclose)


async def aiter_once(stream: AsyncEventStream) -> AsyncIterator[Any]:
    """What a loop over *stream* gives first; it is then left."""
    async for message in stream:
        yield message
        break


async def test_many_reconnects_leave_nothing_behind(platform: Any) -> None:
    """No descriptor, and no task."""
    with Server(Torrent(120, each=1)) as server:
        async with platform(server) as made:
            stream = made.events.subscribe(max_backoff_sec=0)
            await take(stream, 10)
            before = len(list(Path("/proc/self/fd").iterdir()))
            await take(stream, 100)
            assert await anyio.to_thread.run_sync(server.settle) is None
            after = len(list(Path("/proc/self/fd").iterdir()))
            assert after - before <= 1  # the server may have one more, or less, at this moment
            assert len(server.exchanges) in {110, 111}
            await stream.aclose()


class SlowToClose(httpx.AsyncByteStream):
    """One event; it takes many turns of the loop to close it."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield event(1)
        raise httpx.ReadError("it is closed")

    async def aclose(self) -> None:
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
        self.closed = True


async def test_what_was_left_is_closed_when_the_client_is() -> None:
    """It waits for what is being closed: the loop may end right after it."""
    body = SlowToClose()
    headers = {"content-type": "text/event-stream"}
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=body))
    async with httpx.AsyncClient(transport=answer) as http:
        async with AsyncPlatform(http_client=http, clock=SYSTEM_CLOCK) as platform:
            async for _ in platform.events.subscribe():
                break
        assert body.closed
