"""A receiver of webhooks for people: it verifies, shows and, if it is to, hands on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware

from quatrain.errors.velocity import WebhookPayloadError, WebhookSignatureError
from quatrain.server.asgi import Receive, Scope, Send
from quatrain.server.endpoint import read_body
from quatrain.server.middleware import BodyLimit, Outermost
from quatrain.server.problems import method_not_allowed
from quatrain.server.store import wall_clock_ms
from quatrain.server.times import iso_time
from quatrain.webhooks import WebhookEvent, WebhookHandler
from quatrain.webhooks.events import read_headers

__all__ = ["Answer", "Arrival", "make_app"]

MAX_BODY: Final = 1_048_576
"""Bytes of a delivery, and of the answer to one that was handed on."""
TIMEOUT: Final = 30.0
"""Seconds for handing one on."""

Headers = list[tuple[bytes, bytes]]

#: A connection's own business, and what each side of it states anew.
_PER_CONNECTION: Final = frozenset(
    b"connection content-length date expect host keep-alive proxy-authenticate"
    b" proxy-authorization server te trailer transfer-encoding upgrade".split()
)


@attrs.frozen
class Answer:
    """What the sender is answered."""

    status: int
    body: bytes
    headers: Headers = attrs.field(factory=lambda: [(b"content-type", b"application/json")])

    @classmethod
    def of_json(cls, status: int, **content: Any) -> Answer:
        """In the words of the contract."""
        return cls(status, json.dumps(content).encode())


@attrs.frozen
class Arrival:
    """A delivery that came in, and what was answered."""

    at: str
    """ISO-8601."""
    event: str | None
    delivery_id: str | None
    refused: str | None
    """Why it is not what it claims to be; None when it is verified."""
    payload: Any
    """None unless it is verified."""
    status: int
    """Of the answer."""
    problem: str | None
    """Why it could not be handed on."""

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {**attrs.asdict(self), "verified": self.refused is None}


def make_app(
    handler: WebhookHandler,
    show: Callable[[Arrival], None],
    *,
    forward_to: str | None,
    now_ms: Callable[[], int] = wall_clock_ms,
) -> Starlette:
    """An ASGI app that takes a POST to any path.

    *handler* verifies; *show* gets each delivery before its sender is answered. What is verified
    goes to the URL *forward_to*, headers and body as they are, and that one's answer comes back.
    *now_ms* is the time that is shown.
    """
    receiver = Receiver(handler, show, forward_to, now_ms)
    app = Starlette(
        middleware=[Middleware(Outermost), Middleware(BodyLimit, limit=MAX_BODY)],
        lifespan=receiver.lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = receiver
    return app


@attrs.define
class Receiver:
    """Takes deliveries while its lifespan is entered."""

    handler: WebhookHandler
    show: Callable[[Arrival], None]
    forward_to: str | None
    now_ms: Callable[[], int]
    client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Keep the connections to where deliveries are handed on."""
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as self.client:
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify a delivery, hand it on, show it, answer."""
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            raise method_not_allowed("POST")
        headers: Headers = list(scope["headers"])
        body = await read_body(receive)
        payload: Any = None
        refused: str | None = None
        problem: str | None = None
        try:
            event = self.handler.parse(headers, body)
        except WebhookSignatureError as exc:
            refused, answer = str(exc), Answer.of_json(401, ok=False, error="invalid signature")
        except WebhookPayloadError as exc:
            refused, answer = str(exc), Answer.of_json(400, ok=False, error="invalid json body")
        else:
            payload = event.payload
            answer, problem = await self._accept(event, headers, body)
        claimed = read_headers(headers)
        names = (claimed.event_type, claimed.delivery_id)
        at = iso_time(self.now_ms())
        self.show(Arrival(at, *names, refused, payload, answer.status, problem))
        await _send(send, answer)

    async def _accept(
        self, event: WebhookEvent, headers: Headers, body: bytes
    ) -> tuple[Answer, str | None]:
        """The answer to a verified delivery, and why it could not be handed on."""
        if self.forward_to is None or self.client is None:
            names = {"event_type": event.event_type, "delivery_id": event.delivery_id}
            return Answer.of_json(200, ok=True, **names), None
        answer = await _forward(self.client, self.forward_to, headers, body)
        if isinstance(answer, str):
            return Answer.of_json(502, ok=False, error=answer), answer
        return answer, None


async def _send(send: Send, answer: Answer) -> None:
    headers = list(answer.headers)
    if answer.status not in {204, 304}:  # which have no body
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _forward(
    client: httpx.AsyncClient, url: str, headers: Headers, body: bytes
) -> Answer | str:
    """The answer of *url*, or why there is none."""
    # a request of its own, and not the client's: that would add headers
    request = httpx.Request("POST", url, headers=_passed_on(headers), content=body)
    content = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT):
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > MAX_BODY:
                        return f"{url} answered with more than {MAX_BODY:,} bytes"
            finally:
                await response.aclose()
    except TimeoutError:
        return f"{url} gave no answer within {TIMEOUT:g} seconds"
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return f"{url} gave no answer: {str(exc) or type(exc).__name__}"
    return Answer(response.status_code, bytes(content), _passed_on(response.headers.raw))


def _passed_on(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """*headers* without those of the connection they came over."""
    pairs = [(name.lower(), value) for name, value in headers]
    named = {
        part.strip().lower()
        for name, value in pairs
        if name == b"connection"
        for part in value.split(b",")
    }
    return [(name, value) for name, value in pairs if name not in _PER_CONNECTION | named]
