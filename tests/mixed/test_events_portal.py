"""The stream of events into a platform in this process: no socket, and the same behaviour."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import httpx
import pytest

from quatrain._runtime import _async, _sync

from .._events import AsyncPlatform, Platform
from ._feed import event, numbers

pytest.importorskip("starlette")  # the extra [server]

from quatrain.server.portal import Portal

PATIENCE = 30.0


class App:
    """Sends two events and waits until nobody listens any more."""

    def __init__(self) -> None:
        self.begun = 0
        self.left = threading.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        self.begun += 1
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = event(1) + event(2)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        try:
            await asyncio.Event().wait()
        finally:
            self.left.release()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def portal(app: App) -> Any:
    with Portal(lambda: app) as portal:
        yield portal


async def test_left_and_closed_in_a_task(app: App, portal: Any) -> None:
    """The platform hears of it each time."""
    async with (
        httpx.AsyncClient(transport=portal.async_transport()) as http,
        AsyncPlatform(http_client=http, clock=_async.SYSTEM_CLOCK) as platform,
    ):
        async for message in platform.events.subscribe():
            assert numbers([message]) == [1]
            break
        assert await anyio.to_thread.run_sync(app.left.acquire, True, PATIENCE)
        stream = platform.events.subscribe()
        found: list[Any] = []
        second = anyio.Event()

        async def run() -> None:
            async for message in stream:
                found.append(message)
                if len(found) == 2:
                    second.set()

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await second.wait()
            await stream.aclose()
        assert numbers(found) == [1, 2]
        assert await anyio.to_thread.run_sync(app.left.acquire, True, PATIENCE)


def test_left_and_closed_in_a_thread(app: App, portal: Any) -> None:
    """The platform hears of it each time, and a blocked read ends."""
    with (
        httpx.Client(transport=portal.transport()) as http,
        Platform(http_client=http, clock=_sync.SYSTEM_CLOCK) as platform,
    ):
        for message in platform.events.subscribe():
            assert numbers([message]) == [1]
            break
        assert app.left.acquire(timeout=PATIENCE)
        stream = platform.events.subscribe()
        found: list[Any] = []
        second = threading.Event()

        def run() -> None:
            for message in stream:
                found.append(message)
                if len(found) == 2:
                    second.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert second.wait(PATIENCE)
        stream.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert numbers(found) == [1, 2]
        assert app.left.acquire(timeout=PATIENCE)
