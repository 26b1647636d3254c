"""Ways from a web framework to a ``WebhookHandler``.

Each reads the raw body by itself, never more of it than the handler takes, and answers in JSON:
what the handler says; 413 for a body that is too large; 405 for any method but POST. A framework is
imported when its function is called; where it is not installed that raises ConfigError.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors.velocity import ConfigError
from .handler import WebhookHandler, refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

__all__ = [
    "asgi_app",
    "async_django_view",
    "django_view",
    "flask_view",
    "starlette_endpoint",
    "starlette_route",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_JSON: Final = "application/json"
_METHOD: Final = "POST"
_EVERY_METHOD: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_TOO_LARGE: Final = (refusal("body too large"), 413)
_WRONG_METHOD: Final = (refusal("method not allowed"), 405)


# -- ASGI ------------------------------------------------------------------------------------------


class _ASGIApp:
    """Answers every path; ``uvicorn`` can run it alone."""

    def __init__(self, handler: WebhookHandler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, or the lifespan, in which there is nothing to do."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            kind = scope["type"]
            raise ConfigError(f"asgi_app() answers HTTP requests, not {kind!r}")
        answer = await _answer_asgi(self._handler, scope, receive)
        if answer is None:
            return
        content, status = answer
        body = _dump(content)
        headers = [
            (b"content-type", _JSON.encode("ascii")),
            (b"content-length", b"%d" % len(body)),
            *((name.encode("ascii"), value.encode("ascii")) for name, value in _allow(status)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def asgi_app(handler: WebhookHandler) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI app of its own, to mount anywhere or to run alone."""
    return _ASGIApp(handler)


def starlette_route(
    handler: WebhookHandler, path: str = "/webhooks", name: str = "webhooks"
) -> Route:
    """A route for ``Starlette(routes=[…])``, or FastAPI's ``app.router.routes``."""
    with _needed_by("starlette_route()", "starlette"):
        from starlette.routing import Route  # noqa: PLC0415
    return Route(path, _ASGIApp(handler), name=name)


def starlette_endpoint(handler: WebhookHandler) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for Starlette's and FastAPI's ``add_route`` and ``add_api_route``.

    ``app.add_api_route("/webhooks", starlette_endpoint(handler), methods=["POST"])``
    """
    with _needed_by("starlette_endpoint()", "starlette"):
        from starlette.requests import Request  # noqa: PLC0415
        from starlette.responses import Response  # noqa: PLC0415

    async def webhooks(request: Request) -> Response:
        answer = await _answer_asgi(handler, request.scope, request.receive)
        if answer is None:
            return Response(status_code=400)  # to nobody
        content, status = answer
        return Response(_dump(content), status, dict(_allow(status)), media_type=_JSON)

    # FastAPI looks the names up among the module's, where a framework is not imported
    webhooks.__annotations__ = {"request": Request, "return": Response}
    return webhooks


async def _answer_asgi(
    handler: WebhookHandler, scope: Scope, receive: Receive
) -> tuple[dict[str, Any], int] | None:
    """The answer; None when the client has gone before its request was whole."""
    if scope["method"] != _METHOD:
        return _WRONG_METHOD
    limit = handler.max_body_bytes
    announced = [value for name, value in scope["headers"] if name == b"content-length"]
    if any(_exceeds(value.decode("latin-1"), limit) for value in announced):
        return _TOO_LARGE
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return _TOO_LARGE
        more = message.get("more_body", False)
    return await handler.ahandle(scope["headers"], body)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


# -- WSGI and Django -------------------------------------------------------------------------------


def flask_view(handler: WebhookHandler) -> Callable[..., Any]:
    """A view for ``app.add_url_rule("/webhooks", view_func=flask_view(handler))``."""
    with _needed_by("flask_view()", "flask"):
        from flask import Response as FlaskResponse  # noqa: PLC0415
        from flask import request  # noqa: PLC0415

    def webhooks(**_: Any) -> FlaskResponse:
        # what another function has read of the body is kept by Flask, and by nobody's stream
        content, status = _answer_plainly(
            handler,
            request,
            lambda limit: _read(request.stream.read, limit) or request.get_data(),
        )
        return FlaskResponse(_dump(content), status, dict(_allow(status)), content_type=_JSON)

    webhooks.methods = _EVERY_METHOD  # type: ignore[attr-defined]  # its own 405 is JSON, too
    return webhooks


def django_view(handler: WebhookHandler) -> Callable[..., Any]:
    """A view for ``urlpatterns``, exempt from CSRF checks: the signature is the proof."""
    respond = _django_response("django_view()")

    def webhooks(request: Any, *_: Any, **__: Any) -> Any:
        answer = _answer_plainly(handler, request, lambda limit: _read(request.read, limit))
        return respond(*answer)

    webhooks.csrf_exempt = True  # type: ignore[attr-defined]
    return webhooks


def async_django_view(handler: WebhookHandler) -> Callable[..., Any]:
    """``django_view`` for Django under ASGI: async functions are awaited."""
    respond = _django_response("async_django_view()")

    async def webhooks(request: Any, *_: Any, **__: Any) -> Any:
        body = _read_request(handler, request, lambda limit: _read(request.read, limit))
        if isinstance(body, tuple):
            return respond(*body)
        answer = await handler.ahandle(request.headers, body)
        return respond(*answer)

    webhooks.csrf_exempt = True  # type: ignore[attr-defined]
    return webhooks


def _answer_plainly(
    handler: WebhookHandler, request: Any, read: Callable[[int], bytes]
) -> tuple[dict[str, Any], int]:
    body = _read_request(handler, request, read)
    return body if isinstance(body, tuple) else handler.handle(request.headers, body)


def _read_request(
    handler: WebhookHandler, request: Any, read: Callable[[int], bytes]
) -> bytes | tuple[dict[str, Any], int]:
    """The raw body, or the answer that makes it needless."""
    if request.method != _METHOD:
        return _WRONG_METHOD
    limit = handler.max_body_bytes
    if _exceeds(request.headers.get("Content-Length") or "", limit):
        return _TOO_LARGE
    return read(limit + 1)  # one more than it takes: the handler says what that means


def _read(read: Callable[[int], bytes], size: int) -> bytes:
    """Up to *size* bytes: a stream may give less at once."""
    body = bytearray()
    while len(body) < size and (chunk := read(size - len(body))):
        body += chunk
    return bytes(body)


def _django_response(needed_by: str) -> Callable[[dict[str, Any], int], Any]:
    with _needed_by(needed_by, "django"):
        from django.http import HttpResponse  # type: ignore[import-untyped]  # noqa: PLC0415

    def respond(content: dict[str, Any], status: int) -> Any:
        return HttpResponse(_dump(content), _JSON, status, headers=dict(_allow(status)))

    return respond


# -- all ------------------------------------------------------------------------------------------


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def _allow(status: int) -> list[tuple[str, str]]:
    return [("allow", _METHOD)] if status == 405 else []


def _exceeds(announced: str, limit: int) -> bool:
    """Whether an announced length is more than *limit*; what is no length is read and counted."""
    if not announced.isascii() or not announced.isdigit():
        return False
    return len(announced) > 15 or int(announced) > limit


@contextlib.contextmanager
def _needed_by(function: str, package: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as exc:
        raise ConfigError(f"{function} needs {package}, which is not installed") from exc
