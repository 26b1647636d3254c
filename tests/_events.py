"""A platform that sends events as a test has written them down, in both flavours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import anyio.lowlevel
import httpx

from quatrain._async import events as async_events
from quatrain._async import hosts as async_hosts
from quatrain._async.transport import AsyncTransport
from quatrain._retry import RetryPolicy
from quatrain._secret import Secret
from quatrain._sync import events, hosts
from quatrain._sync.transport import Transport
from quatrain.errors.vendo import FAMILY

KEY = "vendo_sk_do_not_show_me"
ORIGIN = "https://vendo.example"
STREAM = {"content-type": "text/event-stream; charset=utf-8"}

Answer = httpx.Response | Exception | int | list[bytes | Exception]
"""A response, what is raised instead, an error's status, or what a stream sends until it ends."""


class Script:
    """What the platform answers, one request after the other; at last that the key is unknown."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.left = 0
        """Streams that were closed."""

    @property
    def resumed(self) -> list[str | None]:
        """The ids after which each request wants to hear."""
        return [request.headers.get("last-event-id") for request in self.requests]

    def next(self, request: httpx.Request) -> httpx.Response | list[bytes | Exception]:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 401
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            body = {"error": {"code": f"fault_{answer}", "message": "a fault"}}
            return httpx.Response(answer, json=body)
        return answer


class AsyncScriptedStream(httpx.AsyncByteStream):
    """The pieces one by one."""

    def __init__(self, script: Script, pieces: list[bytes | Exception]) -> None:
        self.script = script
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await anyio.lowlevel.checkpoint()
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def aclose(self) -> None:
        self.script.left += 1


class ScriptedStream(httpx.SyncByteStream):
    """The pieces one by one."""

    def __init__(self, script: Script, pieces: list[bytes | Exception]) -> None:
        self.script = script
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.script.left += 1


class AsyncScriptTransport(httpx.AsyncBaseTransport):
    """The way to the script."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.script.next(request)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, headers=STREAM, stream=AsyncScriptedStream(self.script, answer))


class ScriptTransport(httpx.BaseTransport):
    """The way to the script, for threads."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.script.next(request)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, headers=STREAM, stream=ScriptedStream(self.script, answer))


class AsyncPlatform:
    """``events`` of an app, and the ``transport`` that a client would close."""

    def __init__(self, url: str = ORIGIN, **settings: Any) -> None:
        usual = {
            "family": FAMILY,
            "timeout": 30.0,
            "policy": RetryPolicy(),
            "allow_insecure": False,
            "http_client": None,
        }
        self.transport = transport = AsyncTransport(url, Secret(KEY), **usual | settings)
        user = {"X-Vendo-User-JWT": "a-users"}
        all_three = async_hosts.AsyncHosts(transport, transport, transport, user)
        self.events = async_events.AsyncEventsAPI(async_hosts.AsyncVendoAPI(all_three))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.aclose()


class Platform:
    """``events`` of an app, and the ``transport`` that a client would close."""

    def __init__(self, url: str = ORIGIN, **settings: Any) -> None:
        usual = {
            "family": FAMILY,
            "timeout": 30.0,
            "policy": RetryPolicy(),
            "allow_insecure": False,
            "http_client": None,
        }
        self.transport = transport = Transport(url, Secret(KEY), **usual | settings)
        user = {"X-Vendo-User-JWT": "a-users"}
        all_three = hosts.Hosts(transport, transport, transport, user)
        self.events = events.EventsAPI(hosts.VendoAPI(all_three))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()
