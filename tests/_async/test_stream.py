"""A request leaves in one packet."""

from __future__ import annotations

import httpcore
import pytest

from quatrain._async.lanes import AsyncOneWriteStream


class AsyncRecorder(httpcore.AsyncNetworkStream):
    """What is written to it, and what it answers."""

    def __init__(self, write_error: Exception | None = None) -> None:
        self.written: list[bytes] = []
        self.write_error = write_error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.written.append(buffer)
        if self.write_error is not None:
            raise self.write_error

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"answer"


async def test_what_is_written_leaves_when_an_answer_is_asked_for() -> None:
    """Head and body at once; nothing is sent twice."""
    recorder = AsyncRecorder()
    stream = AsyncOneWriteStream(recorder)
    await stream.write(b"head, ")
    await stream.write(b"body")
    assert recorder.written == []
    assert await stream.read(100) == b"answer"
    assert await stream.read(100) == b"answer"
    assert recorder.written == [b"head, body"]


async def test_much_leaves_at_once() -> None:
    """It is not kept twice in memory."""
    recorder = AsyncRecorder()
    stream = AsyncOneWriteStream(recorder)
    await stream.write(b"head, ")
    await stream.write(b"x" * 65_536)
    assert recorder.written == [b"head, " + b"x" * 65_536]


async def test_an_early_answer_is_read_although_the_rest_can_not_be_sent() -> None:
    """A server may refuse a large body and hang up."""
    stream = AsyncOneWriteStream(AsyncRecorder(httpcore.WriteError("hung up")))
    await stream.write(b"request")
    assert await stream.read(100) == b"answer"


async def test_a_write_that_takes_too_long_is_no_early_answer() -> None:
    """The server is stuck."""
    stream = AsyncOneWriteStream(AsyncRecorder(httpcore.WriteTimeout("slow")))
    await stream.write(b"request")
    with pytest.raises(httpcore.WriteTimeout):
        await stream.read(100)
