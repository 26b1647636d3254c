"""A loopback HTTP/1.1 server on an event loop and in a thread of its own.

For what no stand-in below the client can show: connections that are kept, dropped, half-read.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import attrs


@attrs.define
class Exchange:
    """A request that has come in, and the way to answer it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The number of its connection, from 1."""
    writer: asyncio.StreamWriter = attrs.field(repr=False)

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)

    def answer(
        self,
        body: bytes | Any = b"",
        status: int = 200,
        headers: tuple[str, ...] = ("content-type: application/json",),
        length: int | None = None,
    ) -> None:
        """Answer; a body that is not bytes as JSON. *length* may promise more than is sent."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = len(content) if length is None else length
        lines = [f"HTTP/1.1 {status} Whatever", *headers, f"content-length: {length}", "", ""]
        self.writer.write("\r\n".join(lines).encode() + content)

    def raw(self, data: bytes) -> None:
        """Write *data* as it is."""
        self.writer.write(data)

    def drop(self) -> None:
        """Close the connection, now."""
        self.writer.transport.abort()


Handler = Callable[[Exchange], Awaitable[None] | None]


class Server:
    """``with Server(handler) as server``: ``server.url``; ``handler(exchange)`` answers."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.exchanges: list[Exchange] = []
        self.opened = 0
        self.open: set[asyncio.StreamWriter] = set()
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="server")

    @property
    def connections(self) -> list[int]:
        """The connection of each request, in order."""
        return [exchange.connection for exchange in self.exchanges]

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._started.set()
        await self._stop.wait()
        server.close()
        for writer in list(self.open):
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settle(self) -> None:
        """Return when the server has noticed all that has reached it until now."""
        asyncio.run_coroutine_threadsafe(self._settled(), self.loop).result()

    async def _settled(self) -> None:
        for _ in range(20):  # a turn to see that a socket is readable, a few to act on it
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open.add(writer)
        self.opened += 1
        number = next(self._numbers)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in headers.items()}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                exchange = Exchange(method, target, headers, body, number, writer)
                self.exchanges.append(exchange)
                answered = self.handler(exchange)
                if answered is not None:
                    await answered
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # they hung up, or the test is over
        finally:
            self._tasks.discard(task)
            self.open.discard(writer)
            writer.close()


GRANT = {
    "status": "granted",
    "effectId": "eff_1",
    "effectKey": "k",
    "fenceToken": 1,
    "leaseToken": "lease-token-1",
    "leaseExpiresAt": "2030-01-01T00:00:00.000Z",
    "priorState": "none",
}
ANSWERS = {
    "lease": GRANT,
    "commit": {"status": "accepted", "effectId": "eff_1", "fenceToken": 1, "message": "ok"},
    "fail": {"status": "recorded", "effectId": "eff_1", "fenceToken": 1, "message": "ok"},
    "renew": {"status": "renewed", "leaseExpiresAt": "2030-01-01T00:00:00.000Z"},
    "report-observe": {},
}


def answer_well(exchange: Exchange) -> None:
    """A ledger without a memory: everything goes well."""
    exchange.answer(ANSWERS[exchange.target.rpartition("/")[2]])
