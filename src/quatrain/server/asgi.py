"""The words of ASGI, and how an answer is sent."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import aclosing
from typing import Any, TypeAlias

import attrs

from . import jsontext

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_ID: str = "quatrain.request_id"
"""Where the scope carries the request's id, put there by the middleware."""

ROUTE: str = "quatrain.route"
"""Where the scope carries which of our routes it is, below the mount, with the names of what varies
and never a value."""


class ClientGoneError(Exception):
    """The client hung up before its request was whole: there is nobody to answer."""


async def send_json(
    send: Send, status: int, content: Any, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """One JSON answer."""
    body = jsontext.dump(content).encode("ascii")
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


class Answer(ABC):
    """An answer that is more than JSON, and sends itself."""

    @abstractmethod
    async def respond(self, receive: Receive, send: Send) -> None:
        """Send it. Raises ClientGoneError when the client hangs up."""


@attrs.frozen
class Streamed:
    """An answer that is a file, sent as it is made: how long it will be nobody knows."""

    pieces: AsyncGenerator[bytes, None]
    media_type: str
    filename: str
    """ASCII, without quotes."""


async def send_streamed(receive: Receive, send: Send, answer: Streamed) -> None:
    """One such answer. If making it fails half way, so does this: the connection must break.

    Raises ClientGoneError when the client hangs up: what is then sent goes nowhere, without an
    error, and need not be made.
    """
    gone = asyncio.ensure_future(hung_up(receive))
    try:
        await _send_pieces(gone, send, answer)
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def hung_up(receive: Receive) -> None:
    """Returns when the client has hung up."""
    with contextlib.suppress(ClientGoneError):
        while (await receive())["type"] != "http.disconnect":
            pass


async def _send_pieces(gone: asyncio.Future[None], send: Send, answer: Streamed) -> None:
    async with aclosing(answer.pieces) as pieces:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", answer.media_type.encode("ascii")),
                    (
                        b"content-disposition",
                        f'attachment; filename="{answer.filename}"'.encode("ascii"),
                    ),
                    (b"cache-control", b"no-store"),
                ],
            }
        )
        async for piece in pieces:
            if gone.done():
                raise ClientGoneError
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The request header's value; None when it is absent, or given more than once."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
