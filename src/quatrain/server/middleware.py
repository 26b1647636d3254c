"""What every request passes, whichever platform it is for. Plain ASGI: a wrapper costs a call.

From the outside in: a request id and the last resort for errors, the check of the Host header, the
bound on bodies.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from .asgi import REQUEST_ID, App, ClientGoneError, Message, Receive, Scope, Send, header, send_json
from .problems import ProblemError, internal_error, too_large
from .randomness import token

_log: Final = logging.getLogger("quatrain.server")
_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]*)?")

Watch: TypeAlias = Callable[[Scope, int, float], None]
"""Told of each answer that begins: its request, its status, and the seconds that it took."""


class Outermost:
    """Gives each request its id, and an answer to the ones that nobody else answered."""

    def __init__(self, app: App, *, watch: Watch | None = None) -> None:
        self.app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = f"req_{token()}"
        scope[REQUEST_ID] = request_id
        started = False

        async def tag(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._watch is not None:
                    self._watch(scope, message["status"], time.perf_counter() - began)
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode("ascii")),
                ]
            await send(message)

        try:
            await self.app(scope, receive, tag)
        except ClientGoneError:
            _log.debug("%s: the client hung up", request_id)
        except ProblemError as problem:
            content = _envelope(problem.code, problem.message, request_id)
            await send_json(tag, problem.status, content, problem.raw_headers)
        except Exception:
            _log.exception("%s failed", request_id)
            if started:
                raise  # half an answer: the connection must break, so that nobody believes it
            failed = internal_error()
            content = _envelope(failed.code, failed.message, request_id)
            await send_json(tag, failed.status, content)


def _envelope(code: str, message: str, request_id: str) -> dict[str, str]:
    return {"code": code, "message": message, "requestId": request_id}


class HostCheck:
    """Refuses requests whose Host is not one of ours.

    A page on the web can have its own name point at 127.0.0.1 (DNS rebinding) and then read what
    the loopback serves; the Host header gives it away.
    """

    def __init__(self, app: App, *, allowed: Collection[str], any_address: bool) -> None:
        self.app = app
        self._allowed = frozenset(allowed)
        self._any_address = any_address
        self._passed: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = header(scope, b"host")
            if host not in self._passed:
                self._check(host)
        await self.app(scope, receive, send)

    def _check(self, host: bytes | None) -> None:
        if host is None:
            raise ProblemError(400, "host_not_allowed", "a request needs one Host header")
        parts = _HOST.fullmatch(host.decode("latin-1").lower())
        name = "" if parts is None else parts["v6"] or parts["name"]
        if name not in self._allowed and not (self._any_address and _is_address(name)):
            shown = host[:100].decode("ascii", "backslashreplace")
            raise ProblemError(
                400,
                "host_not_allowed",
                f"this platform does not go by the name {shown!r}: add it to allowed_hosts",
            )
        if len(self._passed) < 100:  # a few names times a few ports, unless somebody plays
            self._passed.add(host)


def _is_address(name: str) -> bool:
    # an address can't be made to point elsewhere
    import ipaddress  # noqa: PLC0415 - for the few that listen beyond the loopback

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class BodyLimit:
    """Bounds what is read of a body, announced or chunked.

    The refusal is raised where the body is read, inside the platform, which knows how it words it.
    """

    def __init__(self, app: App, *, limit: int) -> None:
        self.app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, seen = self._limit, 0

        async def count() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            seen += len(message.get("body", b""))
            if seen > limit:
                raise too_large(limit)
            return message

        # announced too large: refused with the first chunk, whatever that holds
        announced = header(scope, b"content-length") or b""
        if announced.isdigit() and (len(announced) > 15 or int(announced) > limit):
            seen = limit + 1
        await self.app(scope, count, send)
