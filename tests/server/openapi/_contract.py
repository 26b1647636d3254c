"""Holds what goes over the wire against the OpenAPI document, and keeps what does not fit."""

from __future__ import annotations

from collections import Counter

from quatrain.server.asgi import App, Message, Receive, Scope, Send

from ._checking import ContractError, check_answer, check_request


class Contract:
    """An ASGI app around the platform's, which it does not disturb.

    ``breaches`` is what the document does not tell of: answers, and requests that were done all the
    same: a schema that refuses what the vendor's own client sends is too strict.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.breaches: list[str] = []
        self.checked: Counter[str] = Counter()
        """Answers, by the ids of their operations."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over, and look at what comes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent, answered = bytearray(), bytearray()
        start: Message = {}

        async def heard() -> Message:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            answered.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, heard, said)
        self._look_at(scope, start, bytes(sent), bytes(answered))

    def check(self) -> None:
        """Fail if there was a breach."""
        assert not self.breaches, self.breaches

    def _look_at(self, scope: Scope, start: Message, sent: bytes, answered: bytes) -> None:
        method, path = scope["method"], scope["raw_path"].decode("ascii").partition("?")[0]
        content_type = dict(start["headers"]).get(b"content-type", b"").decode("ascii")
        try:
            if start["status"] == 200 and sent:
                check_request(method, path, sent)
            name = check_answer(method, path, start["status"], content_type, answered)
        except ContractError as breach:
            self.breaches.append(f"{method} {path}: {breach}")
        else:
            self.checked[name or "elsewhere"] += 1
