"""A platform behind a real socket that sends what a test wants on each connection."""

from __future__ import annotations

import threading
from typing import Any

from ._server import Exchange, Server

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def event(number: int) -> bytes:
    """A whole one."""
    return b'id: %d\nevent: connection.changed\ndata: {"n":%d,"x":"\xf0\x9f\x98\x80"}\n\n' % (
        number,
        number,
    )


class Feed:
    """A handler: what each connection is sent, one after the other, and the last for ever.

    A connection stays open, unless what is sent on it ends with None: then it is hung up on.
    """

    def __init__(self, *connections: tuple[bytes | None, ...]) -> None:
        self.connections = list(connections)
        self.resumed: list[str | None] = []
        self.sent = threading.Event()
        """Set once the last connection has been served."""

    def __call__(self, exchange: Exchange) -> None:
        self.resumed.append(exchange.headers.get("last-event-id"))
        last = len(self.connections) == 1
        for piece in self.connections[0] if last else self.connections.pop(0):
            if piece is None:
                exchange.writer.close()
            else:
                exchange.raw(piece)
        if last:
            self.sent.set()


class Torrent:
    """A handler: *count* events as fast as they go, hung up on in the midst of every *each*-th."""

    def __init__(self, count: int, each: int) -> None:
        self.count = count
        self.each = each
        self.resumed: list[int] = []

    async def __call__(self, exchange: Exchange) -> None:
        begin = int(exchange.headers.get("last-event-id", "0")) + 1
        self.resumed.append(begin - 1)
        end = min(begin + self.each, self.count + 1)
        exchange.raw(HEAD)
        for number in range(begin, end):
            exchange.raw(event(number))
            if number % 500 == 0:
                await exchange.writer.drain()
        if end <= self.count:
            half = event(end)
            exchange.raw(half[: 3 + end % (len(half) - 4)])  # in mid-field, in mid-character
            await exchange.writer.drain()
            exchange.writer.close()


def url_of(server: Server) -> str:
    """Its origin."""
    return f"http://127.0.0.1:{server.port}"


def is_left(server: Server) -> bool:
    """Whether every connection that was opened has been closed."""
    server.settle()
    return not server.open


def numbers(messages: list[Any]) -> list[int]:
    """Of events, by what their data says."""
    return [message.data["n"] for message in messages]
