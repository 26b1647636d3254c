"""One HTTP request and its response, between a caller on any thread or loop and an ASGI app.

The two halves share a queue of response parts and nothing else.  The app's half runs on the app's
own loop; the caller polls, and is woken by a callable that it brought along.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Message, Scope

__all__ = ["END", "Exchange", "Head", "Part", "http_scope"]

logger = logging.getLogger("quatrain.server")

#: The app waits while its caller has more than this many bytes left to read.
HIGH_WATER = 64 * 1024


class Head(NamedTuple):
    """The first part of every response: status code and raw headers."""

    status: int
    headers: list[tuple[bytes, bytes]]


class End:
    """The last part of a complete response."""


END = End()
Part = Head | bytes | End | httpx.TransportError


def http_scope(request: httpx.Request) -> Scope:
    """The ASGI scope of *request*: what an HTTP/1.1 server would have made of it."""
    raw_path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (request.url.host, request.url.port or 80),
        "client": None,
    }


class Exchange:
    """A request under way.

    *wake* is called from the app's loop whenever there may be a new part; it must not block.
    """

    __slots__ = (
        "_aborted",
        "_body",
        "_choked",
        "_disconnected",
        "_finished",
        "_loop",
        "_parts",
        "_room",
        "_scope",
        "_sent",
        "_started",
        "_taken",
        "_task",
        "_wake",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scope: Scope,
        body: bytes,
        wake: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._scope = scope
        self._body: bytes | None = body
        self._wake = wake
        self._parts: deque[Part] = deque()
        self._task: asyncio.Task[None] | None = None
        self._disconnected = asyncio.Event()
        self._started = self._finished = self._aborted = False
        # Flow control.  Each counter has one writer, and each side writes its own before it reads
        # the other's, so that no wake-up is lost.
        self._sent = self._taken = 0
        self._choked = False
        self._room = asyncio.Event()

    # -- the caller's half: any thread -------------------------------------------------------

    def poll(self) -> Part | None:
        """The next part of the response; None when there is none yet."""
        try:
            part = self._parts.popleft()
        except IndexError:
            return None
        if isinstance(part, bytes):
            self._taken += len(part)
            if self._choked:
                self._post(self._room.set)
        return part

    def abort(self) -> None:
        """The caller has gone: tell the app, and stop it."""
        self._aborted = True
        self._post(self._stop)

    def _post(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the app's loop has closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(callback)

    # -- the app's half: the app's loop ------------------------------------------------------

    def begin(self, app: ASGIApp) -> asyncio.Task[None]:
        """Start the app on the request."""
        self._task = self._loop.create_task(self._run(app))
        return self._task

    def fail(self, error: httpx.TransportError) -> None:
        """End the response with *error* (unless it is complete) and stop the app."""
        self._finish(error)
        self._stop()

    def _stop(self) -> None:
        self._disconnected.set()
        if self._task is not None:
            self._task.cancel()

    async def _run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._receive, self._send)
        except asyncio.CancelledError:
            self._finish(httpx.ReadError("the request was cancelled inside the local platform"))
        except BaseException:  # SystemExit as well: a handler must not end the loop
            if not self._aborted:  # an app may well be upset about a caller that left
                logger.exception("Exception in the local platform's application")
        else:
            if not self._finished:
                logger.error("The local platform's application returned without an answer")
        if not self._started and not self._finished:
            # The same answer a caller would get from an HTTP server.
            self._parts.append(Head(500, [(b"content-type", b"text/plain; charset=utf-8")]))
            self._parts.append(b"Internal Server Error")
            self._finish(END)
        self._finish(httpx.RemoteProtocolError("the local platform did not complete its response"))

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._finished:  # nobody is listening any more
            return
        if message["type"] == "http.response.start":
            if self._started:
                raise RuntimeError("an ASGI response was started twice")
            self._started = True
            self._push(Head(message["status"], list(message.get("headers", ()))))
        elif message["type"] == "http.response.body":
            if not self._started:
                raise RuntimeError("an ASGI response body was sent before its start")
            await self._send_body(bytes(message.get("body", b"")), message.get("more_body", False))

    async def _send_body(self, body: bytes, more: bool) -> None:
        if body:
            self._sent += len(body)
            self._push(body)
        if not more:
            self._finish(END)
            self._disconnected.set()  # as a server does once the response is complete
            return
        self._choked = True
        while self._sent - self._taken > HIGH_WATER:
            await self._room.wait()
            self._room.clear()
        self._choked = False

    def _finish(self, last: End | httpx.TransportError) -> None:
        if not self._finished:
            self._finished = True
            self._push(last)

    def _push(self, part: Part) -> None:
        self._parts.append(part)
        with suppress(RuntimeError):  # the caller's loop has ended meanwhile
            self._wake()
