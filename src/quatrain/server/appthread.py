"""One run of an ASGI app in a daemon thread: an event loop of its own, lifespan included."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .exchange import Exchange, http_scope

__all__ = ["CLOSED", "AppThread"]

R = TypeVar("R")

logger = logging.getLogger("quatrain.server")

CLOSED = "the local platform has been closed"

#: How long a closing app waits for handlers that go on after they were cancelled.
STOP_SECONDS = 5.0


class AppThread:
    """One run of an app: its loop, from the lifespan's startup to its shutdown."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        # Made here, so that it can be posted to before the thread has got anywhere.
        self._loop = asyncio.SelectorEventLoop()
        self._stop = asyncio.Event()
        self._stopping = False
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._state: dict[str, Any] = {}
        self._exchanges: set[Exchange] = set()  # submitted, and not yet ended
        self._handlers: set[asyncio.Task[None]] = set()
        # An empty context: a caller's trio marker would mislead the app's own use of anyio.
        run = contextvars.Context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)

    def start(self) -> None:
        """Run the thread; returns after the app's startup, or raises what that raised."""
        try:
            self._thread.start()
        except RuntimeError:  # no more threads
            self._loop.close()
            raise
        try:
            self._ready.wait()
        except BaseException:  # Ctrl-C
            self.stop()
            raise
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """End requests under way, shut the app down and wait for the thread."""
        self.tell_to_stop()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def tell_to_stop(self) -> None:
        """Have it stop by itself."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app as it is served, in its own loop: with its lifespan's state."""
        await self._app({**scope, "state": self._state.copy()}, receive, send)

    def run(self, job: Coroutine[Any, Any, R]) -> concurrent.futures.Future[R]:
        """Run *job* on the app's loop; it is cancelled when that ends."""
        return asyncio.run_coroutine_threadsafe(job, self._loop)

    def submit(self, request: httpx.Request, body: bytes, wake: Callable[[], None]) -> Exchange:
        """Hand *request* to the app.  *wake* is called, on the app's loop, for each new part."""
        exchange = Exchange(self._loop, http_scope(request), body, wake)
        self._exchanges.add(exchange)
        try:
            self._loop.call_soon_threadsafe(self._begin, exchange, context=contextvars.Context())
        except RuntimeError:  # the loop is closed
            self._exchanges.discard(exchange)
            raise httpx.ConnectError(CLOSED) from None
        return exchange

    def _begin(self, exchange: Exchange) -> None:
        if self._stopping:
            exchange.fail(httpx.ConnectError(CLOSED))
            self._exchanges.discard(exchange)
        else:
            handler = exchange.begin(self)
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)
            handler.add_done_callback(lambda _: self._exchanges.discard(exchange))

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except BaseException as exc:
            if self._ready.is_set():
                logger.exception("The local platform has stopped")
            self._failure = exc
        finally:
            # A request that was submitted while the loop closed: its caller must not wait for ever.
            for exchange in list(self._exchanges):
                exchange.fail(httpx.ConnectError(CLOSED))
            self._ready.set()

    async def _main(self) -> None:
        lifespan = _Lifespan(self._app, self._state)
        await lifespan.startup()
        self._ready.set()
        await self._stop.wait()
        self._stopping = True
        for exchange in list(self._exchanges):
            exchange.fail(httpx.ReadError("the local platform was closed while it answered"))
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=STOP_SECONDS)
        await lifespan.shutdown()


class _Lifespan:
    """The app's lifespan protocol, from the server's side."""

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
        }
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._error: BaseException | None = None

    async def startup(self) -> None:
        """Raises what the app raised, or RuntimeError with the reason it gave."""
        self._task = asyncio.create_task(self._run())
        self._to_app.put_nowait({"type": "lifespan.startup"})
        answer = await self._from_app.get()
        if answer["type"] != "lifespan.startup.complete":
            await self._task
            raise self._error or RuntimeError(answer.get("message") or "the app did not start")

    async def shutdown(self) -> None:
        """Failures are logged: whoever closes a platform has no use for them."""
        self._to_app.put_nowait({"type": "lifespan.shutdown"})
        await self._task
        if self._error is not None:
            logger.error("The local platform did not shut down cleanly", exc_info=self._error)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._to_app.get, self._from_app.put)
        except BaseException as exc:  # noqa: BLE001  handed to startup() or shutdown()
            self._error = exc
        finally:
            self._from_app.put_nowait({"type": "ended"})
