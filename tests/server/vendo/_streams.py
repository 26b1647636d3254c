"""A listener at the app's door: what a server would do for one request, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import attrs
from starlette.applications import Starlette

from quatrain._secret import Secret

PATH = "/api/deployments/me/events"


@attrs.frozen
class Block:
    """A block of the stream, as it was sent."""

    id: str | None = None
    event: str | None = None
    data: str | None = None
    comment: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        fields = dict(line.split(": ", 1) for line in text.split("\n"))
        return cls(**{name or "comment": value for name, value in fields.items()})


class Listener:
    """Listens until it hangs up. With ``reading`` cleared, it takes nothing more."""

    def __init__(
        self,
        app: Starlette,
        secret: Secret,
        last_event_id: str | None = None,
        user: Secret | None = None,
    ) -> None:
        headers = [
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {secret.reveal()}".encode()),
        ]
        if last_event_id is not None:
            headers.append((b"last-event-id", last_event_id.encode("latin-1")))
        if user is not None:
            headers.append((b"x-vendo-user-jwt", user.reveal().encode()))
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
        }
        self._app = app
        self._hung_up = asyncio.Event()
        self._asked = False
        self._news = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self.kept_waiting = False
        """Whether something is being sent that it does not take."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.bodies: list[bytes] = []
        self.complete = False
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._news.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._hung_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.kept_waiting = not self.reading.is_set()
        self._news.set()
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): text.decode() for name, text in message["headers"]}
        elif not self._hung_up.is_set():
            self.bodies.append(message["body"])
            self.complete = not message.get("more_body", False)
        self._news.set()

    def hang_up(self) -> None:
        self._hung_up.set()

    async def until(self, condition: Any) -> None:
        """Wait for *condition* of this listener to hold after something that was sent."""
        async with asyncio.timeout(60):
            while not condition(self):
                assert not self.task.done(), self.task
                self._news.clear()
                await self._news.wait()

    async def over(self) -> None:
        """Wait until the app has done with it."""
        async with asyncio.timeout(60):
            await self.task

    @property
    def blocks(self) -> list[Block]:
        """What came, comments included."""
        text = b"".join(self.bodies).decode()
        return [Block.of(block) for block in text.split("\n\n")[:-1]]

    @property
    def events(self) -> list[Block]:
        """What came, without comments and the repeats under old names."""
        return [block for block in self.blocks if block.event and "." in block.event]

    @property
    def comments(self) -> list[str]:
        return [block.comment for block in self.blocks if block.comment]


def greeted(listener: Listener) -> bool:
    """Whether it is connected."""
    return bool(listener.bodies)
