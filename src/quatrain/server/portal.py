"""An ASGI app on an event loop of its own, in a daemon thread, reached without a socket.

httpx clients of every flavour reach the app through a transport: sync callers from any thread,
async ones from any asyncio or trio loop.  Responses are streamed part by part, with the read
timeout that the request asks for; request bodies are read whole before the app sees them.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Self, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
from starlette.types import ASGIApp

from .appthread import CLOSED, AppThread
from .exchange import Exchange, Head, Part

__all__ = ["AsyncPortalTransport", "Portal", "PortalTransport"]

TOO_SLOW = "the local platform did not answer in time"


class Portal:
    """An ASGI app in a daemon thread of this process.

    The thread starts with the first request (or with :meth:`open`).  A process forked from this
    one gets a thread and an app of its own on first use, and never touches the parent's.

    Args:
        make_app: Called once for each process that uses the portal; its lifespan is run.
        name: The thread's name.
    """

    def __init__(self, make_app: Callable[[], ASGIApp], *, name: str = "quatrain-portal") -> None:
        self._make_app = make_app
        self._name = name
        self._lock = threading.Lock()
        self._running: AppThread | None = None
        self._closed = False
        _portals.add(self)

    def open(self) -> AppThread:
        """Start the app unless it runs; blocks until its startup is complete.

        Raises whatever the app's startup raised, or `httpx.ConnectError` after :meth:`close`.
        """
        with self._lock:
            if self._closed:
                raise httpx.ConnectError(CLOSED)
            if self._running is None:
                running = AppThread(self._make_app(), self._name)
                running.start()
                self._running = running
            return self._running

    async def aopen(self) -> AppThread:
        """:meth:`open` for asyncio and trio: the startup does not block the caller's loop."""
        if self._running is not None:
            return self._running
        return await anyio.to_thread.run_sync(self.open)

    def close(self) -> None:
        """Shut the app down; requests under way end with `httpx.ReadError`.  Idempotent."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, None
        if running is not None:
            running.stop()

    def abandon(self) -> bool:
        """Have the app end without waiting for it; whether it ran.

        For what is collected unclosed: that may be in any thread, and in the app's own.
        """
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            running.tell_to_stop()
        return running is not None

    def transport(self) -> PortalTransport:
        """A transport for `httpx.Client`; closing that client leaves the portal open."""
        return PortalTransport(self)

    def async_transport(self) -> AsyncPortalTransport:
        """A transport for `httpx.AsyncClient`; closing that client leaves the portal open."""
        return AsyncPortalTransport(self)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _forget(self) -> None:
        # The parent's thread does not exist here, and its lock may have been held.
        self._lock = threading.Lock()
        if self._running is not None:
            _inherited.append(self._running)
            self._running = None


_portals: weakref.WeakSet[Portal] = weakref.WeakSet()

#: What a forked process got from its parent.  Kept for good: collecting it would close the
#: parent's event loop and its database connections from here.
_inherited: list[AppThread] = []


def _after_fork() -> None:
    for portal in list(_portals):
        portal._forget()  # noqa: SLF001  the same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class PortalTransport(httpx.BaseTransport):
    """Sends a sync client's requests, from any thread, into a portal.

    Raises:
        httpx.ConnectError: The portal is closed; the app has not seen the request.
        httpx.ReadTimeout: No part of the response came within the request's read timeout.
        httpx.ReadError: The portal was closed while it answered.
        httpx.RemoteProtocolError: The app broke off in the middle of its response.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Run the app on *request*; returns with the head of its response."""
        body = request.read()
        reader = _Reader(request)
        reader.exchange = self._portal.open().submit(request, body, reader.ready.set)
        return reader.response(reader.head())


class AsyncPortalTransport(httpx.AsyncBaseTransport):
    """Sends an async client's requests, from any asyncio or trio loop, into a portal.

    Raises what `PortalTransport` raises.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Run the app on *request*; returns with the head of its response."""
        body = await request.aread()
        reader = _AsyncReader(request)
        reader.exchange = (await self._portal.aopen()).submit(request, body, reader.wake)
        return reader.response(await reader.head())


class _Caller:
    """What the two readers share: the end of a response, however it comes."""

    exchange: Exchange

    def __init__(self, request: httpx.Request) -> None:
        self._timeout: float | None = request.extensions.get("timeout", {}).get("read")
        self._done = False

    def abandon(self) -> None:
        """Stop the app, unless its response has ended."""
        if not self._done:
            self._done = True
            self.exchange.abort()

    def checked(self, part: Part) -> Part:
        if not isinstance(part, Head | bytes):
            self._done = True
        if isinstance(part, httpx.TransportError):
            raise part
        return part


class _Reader(_Caller, httpx.SyncByteStream):
    """The caller's half of an exchange, in a thread."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__(request)
        self.ready = threading.Event()

    def head(self) -> Head:
        try:
            return cast("Head", self._next())
        except BaseException:
            self.abandon()
            raise

    def response(self, head: Head) -> httpx.Response:
        return httpx.Response(head.status, headers=head.headers, stream=self)

    def __iter__(self) -> Iterator[bytes]:
        try:
            while isinstance(part := self._next(), bytes):
                yield part
        finally:
            self.abandon()

    def close(self) -> None:
        self.abandon()

    def _next(self) -> Part:
        while (part := self.exchange.poll()) is None:
            if not self.ready.wait(self._timeout):
                raise httpx.ReadTimeout(TOO_SLOW)
            self.ready.clear()  # before the next poll, so that no part is missed
        return self.checked(part)


class _AsyncReader(_Caller, httpx.AsyncByteStream):
    """The caller's half of an exchange, in a task of asyncio or trio."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__(request)
        self._ready = anyio.Event()
        loop: Any = anyio.lowlevel.current_token().native_token
        self._post = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon

    def wake(self) -> None:
        self._post(lambda: self._ready.set())  # noqa: PLW0108  the event of that moment

    async def head(self) -> Head:
        try:
            return cast("Head", await self._next())
        except BaseException:
            self.abandon()
            raise

    def response(self, head: Head) -> httpx.Response:
        return httpx.Response(head.status, headers=head.headers, stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while isinstance(part := await self._next(), bytes):
                yield part
        finally:
            self.abandon()

    async def aclose(self) -> None:
        self.abandon()

    async def _next(self) -> Part:
        while (part := self.exchange.poll()) is None:
            with anyio.move_on_after(self._timeout) as patience:
                await self._ready.wait()
            if patience.cancelled_caught:
                raise httpx.ReadTimeout(TOO_SLOW)
            self._ready = anyio.Event()  # before the next poll, so that no part is missed
        return self.checked(part)
