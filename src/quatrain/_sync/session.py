# Generated from src/quatrain/_async/session.py by scripts/make_sync.py. Do not edit.
"""An HTTP client of one's own that authorises with an integration's token.

Source: contracts, Vendo, "Two modes".
"""

from __future__ import annotations

from typing import Any, Final

import httpx

from .._http import AuthFlow
from .._tokens import Token
from .tokens import Tokens

_MARK: Final = "quatrain.authorised"
"""The extension of a request that was given the token. Redirects inherit it."""


class TokenAuth(httpx.Auth):
    """Puts the token on requests to the first one's origin, and renews it once after a 401.

    What goes to another origin, by a redirect or on purpose, goes without it. A body that can be
    read only once is not sent again: then the 401 is the answer, and the next request has another
    token.
    """

    def __init__(self, tokens: Tokens, slug: str) -> None:
        self._tokens = tokens
        self._slug = slug
        self._origins: list[tuple[str, str, int | None]] = []

    def sync_auth_flow(self, request: httpx.Request) -> AuthFlow:
        """Httpx's hook: yields the request, and again what it has to be then."""
        if not self._is_home(request.url):
            yield request
            return
        token = self._tokens.get(self._slug)
        _put(request, token)
        response = yield request
        if response.status_code != 401 or not self._is_home(response.request.url):
            return
        renewed = self._tokens.renewed(self._slug, token)
        if renewed is not None and not getattr(request.stream, "_is_stream_consumed", False):
            _put(request, renewed)
            yield request

    def guard(self, request: httpx.Request) -> None:
        """Httpx's hook before each request: a redirect to another scheme would keep the token."""
        if _MARK in request.extensions and not self._is_home(request.url):
            request.headers.pop("Authorization", None)

    def _is_home(self, url: httpx.URL) -> bool:
        origin = url.scheme, url.host, url.port
        if not self._origins:
            self._origins.append(origin)  # of several threads' first requests one is the first
        return self._origins[0] == origin

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._slug}>"


def new_session(tokens: Tokens, slug: str, options: dict[str, Any]) -> httpx.Client:
    """A client with *options* of ``httpx.Client``."""
    auth = TokenAuth(tokens, slug)
    hooks = dict(options.pop("event_hooks", None) or {})
    hooks["request"] = [*hooks.get("request", ()), auth.guard]
    return httpx.Client(auth=auth, event_hooks=hooks, **options)


def _put(request: httpx.Request, token: Token) -> None:
    request.headers["Authorization"] = f"{token.scheme} {token.value.reveal()}"
    request.extensions[_MARK] = True
