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
from quatrain.webhooks import WebhookHandler
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
    """
    client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal client
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as client:
            yield

    async def receiver(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            raise method_not_allowed("POST")
        headers: Headers = list(scope["headers"])
        body = await read_body(receive)
        claimed = read_headers(headers)
        payload, problem = None, None
        try:
            event = handler.parse(headers, body)
        except WebhookSignatureError as exc:
            refused, answer = str(exc), Answer.of_json(401, ok=False, error="invalid signature")
        except WebhookPayloadError as exc:
            refused, answer = str(exc), Answer.of_json(400, ok=False, error="invalid json body")
        else:
            refused, payload = None, event.payload
            answer = Answer.of_json(
                200, ok=True, event_type=event.event_type, delivery_id=event.delivery_id
            )
            if forward_to is not None and client is not None:
                handed_on = await _forward(client, forward_to, headers, body)
                if isinstance(handed_on, Answer):
                    answer = handed_on
                else:
                    problem = handed_on
                    answer = Answer.of_json(502, ok=False, error=problem)
        at = iso_time(now_ms())
        names = (claimed.event_type, claimed.delivery_id)
        show(Arrival(at, *names, refused, payload, answer.status, problem))
        await _send(send, answer)

    app = Starlette(
        middleware=[Middleware(Outermost), Middleware(BodyLimit, limit=MAX_BODY)],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = receiver
    return app


async def _send(send: Send, answer: Answer) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
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
