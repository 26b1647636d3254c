"""What uvicorn's HTTP is mended in."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from quatrain.server.protocol import Protocol

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Transport(asyncio.Transport):
    """Takes what is written, and goes nowhere."""

    def write(self, data: Any) -> None:
        """Forget it."""

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """There is nothing to read."""

    def resume_reading(self) -> None:
        """There is nothing to read."""

    def close(self) -> None:
        """There is nothing to close."""


async def test_a_client_that_hangs_up_with_a_request_behind_another() -> None:
    """The one that is being answered is told."""
    told = asyncio.Event()
    begun = asyncio.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        told.set()

    config = uvicorn.Config(app, log_config=None)
    config.load()
    protocol = Protocol(config, ServerState(), {})
    protocol.connection_made(Transport())
    protocol.data_received(REQUEST)
    async with asyncio.timeout(60):
        await begun.wait()
        protocol.data_received(REQUEST * 2)
        protocol.connection_lost(None)
        await told.wait()
    await asyncio.gather(*protocol.tasks)
