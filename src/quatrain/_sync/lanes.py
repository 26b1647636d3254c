# Generated from src/quatrain/_async/lanes.py by scripts/make_sync.py. Do not edit.
"""Single HTTP connections on a stack, instead of one pool.

httpcore's pool looks through all its connections on every request, and a cancelled request can
keep its slot for ever. Here a request takes the lane that was used last, or makes one; the lane
goes back when the answer has been read to its end, and is dropped on any error or cancellation, so
that nobody is handed a half-read answer. A lane is one of httpcore's connections, which speak HTTP
and TLS and know the proxies' ways; httpx's transports would each add a pool of one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import httpcore
import httpx
from httpcore import SyncBackend

from .._http import KEEPALIVE_EXPIRY, Answer, Origin
from .._runtime._sync import Clock, Fn, Limiter, finish

T = TypeVar("T")
Lane = httpcore.HTTPConnection | httpcore.ConnectionPool
Take = Fn[[Answer, bytes], bool]
"""Takes an answer's head and a piece of its raw body; whether it wants more of them."""
OnConnect = Callable[[httpcore.NetworkStream], object]


class Lanes:
    """A last-in-first-out stack of lanes, with a bound on how many are in use at once."""

    def __init__(self, make: Callable[[], Lane], *, limit: int, clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._limiter = Limiter(limit)
        self._idle: deque[tuple[Lane, float]] = deque()
        self._closed = False

    def exchange(self, request: httpcore.Request) -> Answer:
        """The whole answer to *request*, over a lane of its own; waits while all are in use.

        Raises httpcore's exceptions.
        """
        response, content = self._over_a_lane(request, _whole)
        return Answer.decoded(response.status, response.headers, content)

    def stream(self, request: httpcore.Request, take: Take) -> Answer:
        """Hand the answer to *request* to *take* piece by piece, undecoded; answers its head.

        A connection whose answer was not read to its end is closed. Raises httpcore's exceptions
        and those of *take*.
        """

        def read(response: httpcore.Response) -> Answer:
            head = Answer(response.status, response.headers, b"")
            pour(head, response, response.iter_stream(), take)
            return head

        return self._over_a_lane(request, read)

    def _over_a_lane(self, request: httpcore.Request, read: Fn[[httpcore.Response], T]) -> T:
        self._limiter.acquire()
        try:
            lane = self._take()
            try:
                response = lane.handle_request(request)
                result = read(response)
                response.close()
            except BaseException:
                finish(lane.close)
                raise
            self._give_back(lane)
        finally:
            self._limiter.release()
        return result

    def _take(self) -> Lane:
        while True:
            try:
                lane, _ = self._idle.pop()
            except IndexError:
                return self._make()
            if not _is_over(lane):
                return lane
            finish(lane.close)

    def _give_back(self, lane: Lane) -> None:
        now = self._clock.now()
        self._idle.append((lane, now))
        if self._closed:  # by another thread, which may have been through the idle lanes already
            self.close()
            return
        try:
            _, used = self._idle[0]
        except IndexError:  # another thread has taken it at once
            return
        if now - used > KEEPALIVE_EXPIRY:
            self._close_idle(before=now - KEEPALIVE_EXPIRY)

    def close(self) -> None:
        """Close the idle lanes now, and those in use when they are given back."""
        self._closed = True
        self._close_idle(before=math.inf)

    def _close_idle(self, *, before: float) -> None:
        """Close those last used *before* then. Taken out to be looked at: threads share them."""
        with suppress(IndexError):  # no more of them
            while True:
                lane, used = self._idle.popleft()
                if used >= before:
                    self._idle.appendleft((lane, used))
                    return
                finish(lane.close)


def _whole(response: httpcore.Response) -> tuple[httpcore.Response, bytes]:
    return response, response.read()


def pour(
    head: Answer,
    response: httpcore.Response | httpx.Response,
    pieces: Iterator[bytes],
    take: Take,
) -> None:
    """All of an answer's *pieces* into *take*, until it wants no more; then the answer is closed.

    Raises whatever reading and taking raise.
    """
    try:
        for piece in pieces:
            if not take(head, piece):
                break
    finally:
        finish(leave, response, pieces)


def leave(response: httpcore.Response | httpx.Response, pieces: Iterator[bytes]) -> None:
    """Close an answer that was read from, and what it was read by."""
    response.close()


def make_lane(origin: Origin, on_connect: OnConnect | None = None) -> Lane:
    """A connection to *origin*, through its proxy if it has one; opened by its first request.

    *on_connect* is given its stream, and again once that is another one, over TLS.
    """
    options: dict[str, Any] = {
        "ssl_context": origin.ssl_context(),
        "keepalive_expiry": KEEPALIVE_EXPIRY,
        "network_backend": OneWriteBackend(on_connect),
    }
    proxy = origin.proxy()
    if proxy is None:
        return httpcore.HTTPConnection(origin.core, **options)
    options |= {"max_connections": 1, "proxy_auth": proxy.raw_auth}
    if proxy.url.scheme.startswith("socks"):
        return httpcore.SOCKSProxy(str(proxy.url), **options)
    return httpcore.HTTPProxy(str(proxy.url), **options)


def _is_over(lane: Lane) -> bool:
    """Whether the server has hung up, or will any moment; a proxy's pool of one looks itself."""
    return isinstance(lane, httpcore.HTTPConnection) and (lane.is_closed() or lane.has_expired())


class OneWriteBackend(SyncBackend):
    """Has a request's head and body leave in one packet: a system call and a loop turn less."""

    def __init__(self, on_connect: OnConnect | None = None) -> None:
        super().__init__()
        self._on_connect = on_connect

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> OneWriteStream:
        """Open a connection."""
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        if self._on_connect is not None:
            self._on_connect(stream)
        return OneWriteStream(stream, self._on_connect)


class OneWriteStream(httpcore.NetworkStream):
    """Keeps what is written until an answer is asked for, or until it is much."""

    def __init__(self, stream: httpcore.NetworkStream, on_connect: OnConnect | None = None) -> None:
        self._stream = stream
        self._on_connect = on_connect
        self._kept: list[bytes] = []
        self._size = 0

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keep *buffer*; send all that is kept when it is more than 64 KiB."""
        self._kept.append(buffer)
        self._size += len(buffer)
        if self._size > 65_536:
            self._flush(timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what is kept, then read."""
        if self._size:
            # a server may answer and hang up before it has read everything: then read that
            with suppress(httpcore.WriteError):
                self._flush(timeout)
        return self._stream.read(max_bytes, timeout)

    def _flush(self, timeout: float | None) -> None:
        data, self._kept, self._size = b"".join(self._kept), [], 0
        self._stream.write(data, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> OneWriteStream:
        """The same over TLS."""
        stream = self._stream.start_tls(*args, **kwargs)
        if self._on_connect is not None:
            self._on_connect(stream)
        return OneWriteStream(stream, self._on_connect)

    def get_extra_info(self, info: str) -> Any:
        """What the connection tells of itself."""
        return self._stream.get_extra_info(info)
