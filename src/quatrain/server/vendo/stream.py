"""Live events over HTTP: an app's stream as server-sent events, resumed where it was cut off.

Every stream reads the store for itself, in batches: at once when this process has written
something, and from time to time for what others have. A slow reader so delays nobody else.
Source: contracts, Vendo, "Events (SSE)".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from quatrain.server.asgi import Answer, ClientGoneError, Receive, Send, hung_up
from quatrain.server.problems import ProblemError, RefusedError
from quatrain.server.store import Connection, Store, StoreUnavailableError, queries

from .records import EVERYBODY, Caller

REPLAYED: Final = 100
"""Events that a ``Last-Event-ID`` brings back at most."""
STREAMS: Final = 5
"""Streams of an app that a process keeps open."""
BATCH: Final = 500
"""Events that are read, and sent, in one go."""

ALIASES: Final = {
    "connection.connected": "connection_created",
    "connection.disconnected": "connection_deleted",
    "connection.changed": "connection_updated",
    "connection.status_changed": "connection_updated",
}
"""Old names. Each is sent right after the event that it repeats, with its id and its data, and is
not stored: it counts for nothing in a replay."""

_GREETING: Final = ": connected\nid: {}\n\n"
"""Sent at once, so that the client sees the answer's head, and knows where to resume before it has
seen an event. There is no ``retry``: a second is what clients wait anyway."""
_PING: Final = b": ping\n\n"
_GOODBYE: Final = 1.0
"""Seconds for a reader that is behind to take the end of its stream, when the server stops."""
_ID: Final = re.compile(rb"[0-9]{1,18}")

_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

_SQL: Final = queries.load("vendo_events")
_log: Final = logging.getLogger("quatrain.server.vendo")


class Position(NamedTuple):
    """How far a stream has come: the next event has a larger id."""

    row: int
    anchored: bool
    """Whether *row* is an event of the app's. If it is gone, so may be others after it."""


class Row(NamedTuple):
    """An event, as it is read."""

    number: int
    kind: str
    payload: str
    user_id: str
    """Whose own it tells of; everybody's for what is no single user's."""


class Streams:
    """The open streams of this process.

    ``poll`` is how long another process's event may take to be noticed, ``heartbeat`` after how
    long a silent stream is sent a comment, ``recheck`` how often it is asked whether its key is
    still good, ``pause`` how long a stream that has just read waits to read more, all in seconds;
    ``monotonic`` is the clock for them.
    """

    def __init__(
        self,
        store: Store,
        *,
        poll: float = 0.5,
        heartbeat: float = 25.0,
        recheck: float = 1.0,
        pause: float = 0.01,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.poll = poll
        self.heartbeat = heartbeat
        self.recheck = recheck
        self.pause = pause
        self.monotonic = monotonic
        self._open: set[EventStream] = set()
        self._places: Counter[int] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def open(
        self, caller: Caller, last_event_id: bytes | None, known: Callable[[], Awaitable[object]]
    ) -> EventStream:
        """An answer that streams what the app is told from now on, or after *last_event_id*.

        When it acts for a user, of no other user's own.

        *known* raises a RefusedError when the caller may no longer listen. Raises ProblemError 429
        when the app has all its streams, and 503 when the server is stopping.
        """
        if self._closed:
            text = "the platform is stopping"
            raise ProblemError(503, "unavailable", text, headers={"retry-after": "1"})
        app_id = caller.app_id
        if self._places[app_id] >= STREAMS:
            raise ProblemError(
                429,
                "rate_limit_sse_streams",
                f"this app has {STREAMS} streams open, and can't have more",
                headers={"retry-after": "5"},
            )
        self._loop = asyncio.get_running_loop()
        self._places[app_id] += 1
        try:
            params = {
                "app_id": app_id,
                "user_id": caller.user_id,
                "after": _number(last_event_id),
                "limit": REPLAYED,
            }
            position = await self.store.read(_begin, params)
        except BaseException:
            self._give_back(app_id)
            raise
        stream = EventStream(self, caller, position, known)
        self._open.add(stream)
        if self._closed:  # meanwhile
            stream.ended.set()
        return stream

    def wake(self) -> None:
        """Look for events at once. From any thread."""
        if self._open and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake_all)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the platform runs, which it may again after it has stopped."""
        self._closed = False
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """End every stream, and open no more: the server is about to stop.

        From the event loop. A server waits for the requests under way, which streams would be for
        ever.
        """
        self._closed = True
        for stream in self._open:
            stream.ended.set()

    def count(self, app_id: int) -> int:
        """The app's streams."""
        return self._places[app_id]

    def leave(self, stream: EventStream) -> None:
        """The stream is over. Twice is fine."""
        if stream in self._open:
            self._open.remove(stream)
            self._give_back(stream.app_id)

    def _give_back(self, app_id: int) -> None:
        self._places[app_id] -= 1
        if not self._places[app_id]:
            del self._places[app_id]

    def _wake_all(self) -> None:
        for stream in self._open:
            stream.woken.set()


class EventStream(Answer):
    """One stream, which holds one of its app's places from when it is made until it is over."""

    def __init__(
        self,
        streams: Streams,
        caller: Caller,
        position: Position,
        known: Callable[[], Awaitable[object]],
    ) -> None:
        self.app_id = caller.app_id
        self._user_id = caller.user_id
        self.woken = asyncio.Event()
        self.ended = asyncio.Event()
        self._streams = streams
        self._position = position
        self._known = known
        self._checked = self._said = self._read = streams.monotonic()

    async def respond(self, receive: Receive, send: Send) -> None:
        """Send it, until the client hangs up, which raises ClientGoneError, or it has to end."""
        tasks = [
            asyncio.ensure_future(work)
            for work in (self._pump(send), hung_up(receive), self.ended.wait())
        ]
        pump, gone, _ = tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ClientGoneError
            if pump.done():
                pump.result()
        finally:
            self._streams.leave(self)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._end(send)

    async def _end(self, send: Send) -> None:
        try:
            async with asyncio.timeout(_GOODBYE):
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            raise ClientGoneError from None  # it does not read; the server will cut it off

    async def _pump(self, send: Send) -> None:
        """Send what there is, again and again; returns when the stream has to end."""
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        await self._say(send, _GREETING.format(self._position.row).encode("ascii"))
        try:
            while await self._may_go_on():
                self.woken.clear()
                rows = await self._streams.store.read(_next, (self.app_id, self._position))
                self._read = self._streams.monotonic()
                if rows is None:
                    _log.warning("a stream was so far behind that its events are forgotten")
                    return
                if rows:
                    self._position = Position(rows[-1].number, anchored=True)
                if text := self._told(rows):
                    await self._say(send, text)
                elif self._read - self._said >= self._streams.heartbeat:
                    await self._say(send, _PING)
                if len(rows) < BATCH:
                    await self._wait()
        except StoreUnavailableError as exc:
            _log.warning("a stream ends: the database can't be read: %s", exc)

    def _told(self, rows: list[Row]) -> bytes:
        """Of the app's events those that are not another user's own, as they are sent."""
        whose = {EVERYBODY, self._user_id}
        every = self._user_id == EVERYBODY
        return render([row for row in rows if every or row.user_id in whose])

    async def _say(self, send: Send, text: bytes) -> None:
        await send({"type": "http.response.body", "body": text, "more_body": True})
        self._said = self._streams.monotonic()

    async def _may_go_on(self) -> bool:
        now = self._streams.monotonic()
        if now - self._checked >= self._streams.recheck:
            self._checked = now
            try:
                await self._known()
            except RefusedError:
                return False  # the next request is told why
        return True

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._streams.poll):
                await self.woken.wait()
        # what is written one by one is read by the handful
        left = self._read + self._streams.pause - self._streams.monotonic()
        if left > 0:
            await asyncio.sleep(left)


def render(rows: list[Row]) -> bytes:
    """Events, each with its id, kind and data, as they are sent."""
    blocks: list[str] = []
    for number, kind, payload, _ in rows:
        blocks.append(f"id: {number}\nevent: {kind}\ndata: {payload}\n\n")
        alias = ALIASES.get(kind)
        if alias is not None:
            blocks.append(f"id: {number}\nevent: {alias}\ndata: {payload}\n\n")
    return "".join(blocks).encode("ascii")


def _number(last_event_id: bytes | None) -> int | None:
    """The row that a ``Last-Event-ID`` names; one that is not ours counts as none."""
    if last_event_id is None or not _ID.fullmatch(last_event_id):
        return None
    return int(last_event_id)


# -- queries of the store -------------------------------------------------------------------------


def _begin(connection: Connection, _now: int, params: dict[str, Any]) -> Position:
    """Where a stream begins. *params*: app_id, user_id, after (or None), limit."""
    if params["after"] is not None:
        # none after an id of the future: the stream begins now
        (first,) = connection.execute(_SQL["first_replayed"], params).fetchone()
        if first is not None:
            return Position(first - 1, anchored=False)
    (newest,) = connection.execute(_SQL["newest_of_app"], params).fetchone()
    return Position(newest, anchored=newest > 0)


def _next(connection: Connection, _now: int, argument: tuple[int, Position]) -> list[Row] | None:
    """Up to a batch of what comes next; None when some of that may be forgotten already."""
    app_id, position = argument
    params = {"app_id": app_id, "position": position.row, "limit": BATCH + 1}
    rows = [Row(*row) for row in connection.execute(_SQL["from"], params)]
    # the row that was sent last is read again: while it is there, nothing after it is gone
    seen = bool(rows) and rows[0].number == position.row
    if position.anchored and rows and not seen:
        return None
    return rows[1:] if seen else rows[:BATCH]
