"""Vendo in memory, behind its three hosts; no flavour."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable
from typing import Any

import httpx

ORIGIN = "https://vendo.example"
CREDENTIALS = "https://credentials.vendo.example"
PROXY = "https://proxy.vendo.example"
KEY = "vendo_sk_double"
VARIABLES = (
    "VENDO_API_KEY",
    "VENDO_BASE_URL",
    "VENDO_CREDENTIALS_URL",
    "VENDO_DATA_PROXY_URL",
    "VENDO_TOKEN_OPENAI",
    "VENDO_TOKEN_MY_CRM",
    "OPENAI_API_KEY",
    "SLACK_BOT_TOKEN",
)


class FakeVendo:
    """Answers what ``data`` and ``tokens`` say, with faults to switch on.

    ``faults`` is a queue of what befalls the next requests: a ``httpx.Response`` is the answer, an
    int its status, an exception is raised, None lets the request through.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.faults: collections.deque[Any] = collections.deque()
        self.tokens: dict[str, Any] = {"openai": "tok-1", "slack": "xoxb-1"}
        """By slug: the text of a token, or the whole answer."""
        self.data: dict[str, Any] = {}
        """By path below ``/api/``."""
        self.executed: Any = {"data": {"done": True}}
        self.meanwhile: Callable[[httpx.Request], None] = lambda _: None
        """Called while a request is under way."""

    @property
    def targets(self) -> list[str]:
        """Method and URL of each request."""
        return [f"{r.method} {r.url}" for r in self.requests]

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.meanwhile(request)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            return httpx.Response(fault, json={"error": {"message": "a fault"}})
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, Exception):
            raise fault
        return httpx.Response(200, json=self._answer(request))

    def _answer(self, request: httpx.Request) -> Any:
        path = request.url.path
        if request.url.host == httpx.URL(PROXY).host:
            return self.executed
        if request.url.host == httpx.URL(ORIGIN).host:
            return self.data[path.removeprefix("/api/")]
        if path != "/_bulk":
            return self._token(path[1:])
        slugs = request.url.params["slugs"].split(",")
        return {"tokens": {s: self._token(s) if s in self.tokens else None for s in slugs}}

    def _token(self, slug: str) -> Any:
        token = self.tokens[slug]
        return {"access_token": token, "token_type": "Bearer"} if isinstance(token, str) else token


def refusal(status: int, code: str, **fields: Any) -> httpx.Response:
    """An error as the platform words it."""
    error = {"code": code, "message": f"it is {code}", **fields}
    return httpx.Response(status, json={"error": error}, headers={"Vendo-Error-Code": code})


def body(request: httpx.Request) -> Any:
    """The JSON that a request brought."""
    return json.loads(request.content)
