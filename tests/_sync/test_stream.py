# Generated from tests/_async/test_stream.py by scripts/make_sync.py. Do not edit.
"""A request leaves in one packet."""

from __future__ import annotations

import httpcore
import pytest

from quatrain._sync.lanes import OneWriteStream


class Recorder(httpcore.NetworkStream):
    """What is written to it, and what it answers."""

    def __init__(self, write_error: Exception | None = None) -> None:
        self.written: list[bytes] = []
        self.write_error = write_error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.written.append(buffer)
        if self.write_error is not None:
            raise self.write_error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"answer"


def test_what_is_written_leaves_when_an_answer_is_asked_for() -> None:
    """Head and body at once; nothing is sent twice."""
    recorder = Recorder()
    stream = OneWriteStream(recorder)
    stream.write(b"head, ")
    stream.write(b"body")
    assert recorder.written == []
    assert stream.read(100) == b"answer"
    assert stream.read(100) == b"answer"
    assert recorder.written == [b"head, body"]


def test_much_leaves_at_once() -> None:
    """It is not kept twice in memory."""
    recorder = Recorder()
    stream = OneWriteStream(recorder)
    stream.write(b"head, ")
    stream.write(b"x" * 65_536)
    assert recorder.written == [b"head, " + b"x" * 65_536]


def test_an_early_answer_is_read_although_the_rest_can_not_be_sent() -> None:
    """A server may refuse a large body and hang up."""
    stream = OneWriteStream(Recorder(httpcore.WriteError("hung up")))
    stream.write(b"request")
    assert stream.read(100) == b"answer"


def test_a_write_that_takes_too_long_is_no_early_answer() -> None:
    """The server is stuck."""
    stream = OneWriteStream(Recorder(httpcore.WriteTimeout("slow")))
    stream.write(b"request")
    with pytest.raises(httpcore.WriteTimeout):
        stream.read(100)
