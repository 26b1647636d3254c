"""An answer that is sent as it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from quatrain.server.asgi import ClientGoneError, Message, Streamed, send_streamed


class Pieces:
    """Something that is made in three steps, and knows when nobody wants it any more."""

    def __init__(self) -> None:
        self.made = 0
        self.let_go = False

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in (b"a", b"", b"c"):
                self.made += 1
                yield piece
        finally:
            self.let_go = True


async def waiting() -> Message:
    """What is received from a client that listens."""
    await asyncio.Event().wait()
    raise AssertionError


async def test_each_piece_is_sent_before_the_next_is_made() -> None:
    """After a head that says what it is, and before an end."""
    pieces, sent = Pieces(), []

    async def send(message: Message) -> None:
        sent.append((pieces.made, message))

    await send_streamed(waiting, send, Streamed(pieces(), "application/zip", "x.zip"))
    (made, head), *bodies = sent
    assert (0, 200, "http.response.start") == (made, head["status"], head["type"])
    assert {
        b"content-type": b"application/zip",
        b"content-disposition": b'attachment; filename="x.zip"',
        b"cache-control": b"no-store",
    } == dict(head["headers"])
    assert [(1, b"a", True), (2, b"", True), (3, b"c", True), (3, b"", False)] == [
        (made, body["body"], body.get("more_body", False)) for made, body in bodies
    ]
    assert pieces.let_go


@pytest.mark.parametrize("failing", ["http.response.body"])
async def test_when_its_reader_is_gone_no_more_is_made(failing: str) -> None:
    """And what is being made is let go of."""
    pieces = Pieces()

    async def send(message: Any) -> None:
        if message["type"] == failing:
            raise OSError("the reader is gone")

    with pytest.raises(OSError, match="gone"):
        await send_streamed(waiting, send, Streamed(pieces(), "text/plain", "x"))
    assert (1, True) == (pieces.made, pieces.let_go)


async def test_when_its_reader_hangs_up_no_more_is_made() -> None:
    """Servers tell it by what is received; what is sent to nobody is no error to them."""
    pieces, hung_up = Pieces(), asyncio.Event()

    async def receive() -> Message:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            hung_up.set()
            await asyncio.sleep(0)  # as a server does that has no room

    with pytest.raises(ClientGoneError):
        await send_streamed(receive, send, Streamed(pieces(), "text/plain", "x"))
    assert (2, True) == (pieces.made, pieces.let_go)
