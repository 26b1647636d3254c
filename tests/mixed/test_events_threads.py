"""The sync stream of events over real sockets: another thread may end it at any moment."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quatrain._runtime._sync import SYSTEM_CLOCK, Clock
from quatrain._sync.events import EventStream

from .._events import Platform
from ._feed import HEAD, Feed, Torrent, event, is_left, numbers, url_of
from ._server import Exchange, Server

PATIENCE = 30.0
"""Seconds: what takes longer never ends."""


def take(stream: EventStream, count: int) -> list[Any]:
    """The next *count* messages."""
    return [next(stream) for _ in range(count)]


@pytest.fixture(params=["lane", "client"])
def platform(request: pytest.FixtureRequest) -> Iterator[Callable[[Server], Platform]]:
    """Made for a server's URL: over a connection of its own, or over a caller's client."""
    with httpx.Client() as http:

        def make(server: Server) -> Platform:
            client = http if request.param == "client" else None
            return Platform(url_of(server), clock=SYSTEM_CLOCK, http_client=client)

        yield make


class TellingClock(Clock):
    """Real time, which tells when somebody waits."""

    def __init__(self) -> None:
        self.waits = threading.Event()

    def wait_for(self, event: threading.Event, seconds: float) -> bool:
        self.waits.set()
        return super().wait_for(event, seconds)


class Consumer(threading.Thread):
    """Reads a stream to its end."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__(name="consumer", daemon=True)
        self.stream = stream
        self.found: list[Any] = []
        self.first = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for message in self.stream:
                self.found.append(message)
                self.first.set()
        except BaseException as exc:
            self.error = exc

    def ends(self) -> bool:
        self.join(PATIENCE)
        return not self.is_alive() and self.error is None


def test_many_events_over_connections_that_break_off(platform: Any) -> None:
    """All of them, in order and once, wherever each is cut."""
    torrent = Torrent(50_000, each=9_973)
    with Server(torrent) as server, platform(server) as made:
        stream = made.events.subscribe(max_backoff_sec=0)
        assert numbers(take(stream, 50_000)) == list(range(1, 50_001))
        assert torrent.resumed == [0, 9_973, 19_946, 29_919, 39_892, 49_865]
        stream.close()
        assert is_left(server)


def test_silence_is_given_up(platform: Any) -> None:
    """Neither an event nor a heartbeat has come: another connection is opened."""
    feed = Feed((HEAD + event(1),), (HEAD + event(2),))
    with Server(feed) as server, platform(server) as made:
        stream = made.events.subscribe(max_backoff_sec=0, heartbeat_timeout=0.05)
        assert numbers(take(stream, 2)) == [1, 2]
        assert feed.resumed == [None, "1"]
        stream.close()


def test_breaking_off(platform: Any) -> None:
    """The stream may be held: its loop is over."""
    with Server(Feed((HEAD + event(1) + event(2),))) as server, platform(server) as made:
        for _ in made.events.subscribe():
            break
        assert is_left(server)
        stream = made.events.subscribe()
        for _ in stream:
            break
        assert is_left(server)
        assert stream.last_event_id == "1"


def test_an_error_in_the_loop(platform: Any) -> None:
    """It comes out as it is."""

    def loop(stream: EventStream) -> None:
        for _ in stream:
            raise LookupError("own")

    with Server(Feed((HEAD + event(1),))) as server, platform(server) as made:
        stream = made.events.subscribe()
        with pytest.raises(LookupError, match="own"):
            loop(stream)
        assert is_left(server)


def test_a_stream_in_a_cycle(platform: Any) -> None:
    """The collector finds it."""
    with Server(Feed((HEAD + event(1),))) as server, platform(server) as made:
        holder: list[Any] = [made.events.subscribe()]
        holder.append(holder)
        take(holder[0], 1)
        del holder
        gc.collect()
        assert is_left(server)


@pytest.mark.parametrize("whose", ["stream", "client"])
def test_closed_by_another_thread(platform: Any, whose: str) -> None:
    """The blocked read ends, and the loop with it."""
    with Server(Feed((HEAD + event(1),))) as server, platform(server) as made:
        consumer = Consumer(made.events.subscribe())
        consumer.start()
        assert consumer.first.wait(PATIENCE)
        (consumer.stream if whose == "stream" else made.transport).close()
        assert consumer.ends()
        assert numbers(consumer.found) == [1]
        assert is_left(server)


def test_closed_before_the_platform_answers() -> None:
    """A connection of its own can be cut off then as well."""
    asked = threading.Event()
    with Server(lambda _: asked.set()) as server:
        with Platform(url_of(server), clock=SYSTEM_CLOCK, timeout=600.0) as made:
            consumer = Consumer(made.events.subscribe(heartbeat_timeout=600.0))
            consumer.start()
            assert asked.wait(PATIENCE)
            consumer.stream.close()
            assert consumer.ends()
        assert is_left(server)


def test_closed_while_it_waits_before_a_reconnect() -> None:
    """However long that would be."""

    def handler(exchange: Exchange) -> None:
        exchange.answer(status=503, headers=("retry-after: 300",))

    clock = TellingClock()
    with Server(handler) as server, Platform(url_of(server), clock=clock) as made:
        consumer = Consumer(made.events.subscribe())
        consumer.start()
        assert clock.waits.wait(PATIENCE)
        consumer.stream.close()
        assert consumer.ends()
        server.settle()
        assert server.opened == 1


def test_closed_by_the_loop_itself(platform: Any) -> None:
    """It ends, whatever had come."""
    with Server(Feed((HEAD + event(1) + event(2),))) as server, platform(server) as made:
        stream = made.events.subscribe()
        found: list[Any] = []
        for message in stream:
            found.append(message)
            stream.close()
        assert numbers(found) == [1]
        assert is_left(server)


def test_two_loops_at_once(platform: Any) -> None:
    """The second is told so, and the first goes on."""
    with Server(Feed((HEAD + event(1),))) as server, platform(server) as made:
        consumer = Consumer(made.events.subscribe())
        consumer.start()
        assert consumer.first.wait(PATIENCE)
        while consumer.stream._inlet._steps.free:  # until it waits for the next
            pass
        with pytest.raises(RuntimeError, match="waited for already"):
            next(consumer.stream)
        consumer.stream.close()
        assert consumer.ends()


def test_many_reconnects_leave_nothing_behind(platform: Any) -> None:
    """No descriptor, and no thread."""
    with Server(Torrent(120, each=1)) as server, platform(server) as made:
        stream = made.events.subscribe(max_backoff_sec=0)
        take(stream, 10)
        threads = threading.active_count()
        before = len(list(Path("/proc/self/fd").iterdir()))
        take(stream, 100)
        server.settle()
        # the server may have one more at this moment
        assert len(list(Path("/proc/self/fd").iterdir())) - before <= 1
        assert threading.active_count() == threads
        stream.close()


def test_closed_by_many_threads_while_it_reads(platform: Any) -> None:
    """Whoever comes first: nothing is closed twice, or under the reader."""
    for _ in range(20):
        with Server(Torrent(100_000, each=50_000)) as server, platform(server) as made:
            consumer = Consumer(made.events.subscribe())
            consumer.start()
            assert consumer.first.wait(PATIENCE)
            others = [threading.Thread(target=consumer.stream.close) for _ in range(4)]
            for other in others:
                other.start()
            for other in others:
                other.join()
            assert consumer.ends()
            found = numbers(consumer.found)
            assert found == list(range(1, len(found) + 1))


class SharedSocket:
    """That of an HTTP/2 connection, on which others have requests too."""

    def get_extra_info(self, info: str) -> Any:
        raise AssertionError("looked for, to be shut down")


class Silent(httpx.SyncByteStream):
    """One event; then nothing comes until it is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield event(1)
        self.closed.wait(PATIENCE)

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("extensions", [{}, {"http_version": b"HTTP/2"}])
def test_where_there_is_no_socket_of_its_own(extensions: dict[str, Any]) -> None:
    """Over a caller's transports, or over HTTP/2: only this answer is closed."""
    streams: list[Silent] = []

    def answer(_: httpx.Request) -> httpx.Response:
        streams.append(Silent())
        given = {**extensions, "network_stream": SharedSocket()} if extensions else {}
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=headers, stream=streams[-1], extensions=given)

    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as http,
        Platform(clock=SYSTEM_CLOCK, http_client=http) as made,
    ):
        for _ in made.events.subscribe():
            break
        assert streams[0].closed.wait(PATIENCE)
        consumer = Consumer(made.events.subscribe())
        consumer.start()
        assert consumer.first.wait(PATIENCE)
        consumer.stream.close()
        assert consumer.ends()
        assert streams[1].closed.is_set()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork with threads, as it happens
def test_a_forked_child_goes_on_with_a_connection_of_its_own() -> None:
    """And the parent with its."""
    feed = Feed((HEAD + event(1),), (HEAD + event(2),))
    with Server(feed) as server, Platform(url_of(server), clock=SYSTEM_CLOCK) as made:
        stream = made.events.subscribe()
        take(stream, 1)
        pid = os.fork()
        if pid == 0:  # pragma: no cover - nothing of it is recorded
            status = 1
            with contextlib.suppress(BaseException):
                status = 0 if numbers(take(stream, 1)) == [2] else 2
                stream.close()
            os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        assert feed.resumed == [None, "1"]
        server.loop.call_soon_threadsafe(server.exchanges[0].raw, event(9))
        assert numbers(take(stream, 1)) == [9]
        stream.close()
