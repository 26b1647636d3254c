"""Who is signed in: a browser's random token stands for the key that was typed once.

The database has hashes of both. What a session may see and do is its key's to say, each time anew:
a key that is revoked ends its sessions, one that belongs to a process ends them with the process.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, Final

import attrs

from quatrain._secret import Secret
from quatrain.server.asgi import Scope as Request
from quatrain.server.asgi import header
from quatrain.server.keys import KeyRing, Principal, Scope
from quatrain.server.randomness import token
from quatrain.server.recognizer import digest_of
from quatrain.server.store import Connection, Store, queries

LASTS_MS: Final = 12 * 60 * 60 * 1_000
"""A working day; it does not grow with use."""

_COOKIE: Final = "quatrain_explorer"

_SQL: Final = queries.load("explorer_sessions")
_PORT: Final = re.compile(rb".*:([0-9]{1,5})", re.DOTALL)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_LOOKERS: Final = frozenset({Scope.READ, Scope.MANAGE})
_ACTORS: Final = frozenset({Scope.RESET, Scope.MANAGE})


@attrs.frozen
class Session:
    """A browser that is signed in, and whose key it was."""

    token: Secret
    principal: Principal

    @property
    def may_act(self) -> bool:
        """Whether it may do more than look."""
        return may_act(self.principal)

    @property
    def form_token(self) -> str:
        """What each form of this session carries, and no page from elsewhere can know.

        The token itself stays out of the pages: what reads a page must not get the session.
        """
        key = self.token.reveal().encode("ascii")
        return hmac.new(key, b"explorer form", hashlib.sha256).hexdigest()


def may_look(principal: Principal) -> bool:
    """Whether a key opens the Explorer at all."""
    return not _LOOKERS.isdisjoint(principal.scopes)


def may_act(principal: Principal) -> bool:
    """Whether it may reset, resolve and release there."""
    return not _ACTORS.isdisjoint(principal.scopes)


class Sessions:
    """Begins, finds and ends them."""

    def __init__(self, store: Store, keys: KeyRing) -> None:
        self._store = store
        self._keys = keys

    async def begin(self, key: Secret) -> Session | None:
        """A new session for who has the *key*; None for a key that there is not.

        A key that may not look is no reason to refuse here: who asks says so in its own words.
        """
        principal = await self._keys.authenticate(key.reveal().encode())
        if principal is None or not may_look(principal):
            return None if principal is None else Session(Secret(""), principal)
        fresh = Secret(token())
        params = {
            "digest": digest_of(fresh.reveal().encode()),
            "key_digest": digest_of(key.reveal().encode()),
            "lasts": LASTS_MS,
        }
        await self._store.write(_begin, params)
        return Session(fresh, principal)

    async def of(self, scope: Request) -> Session | None:
        """The session that the browser's cookie stands for; None when it stands for none."""
        presented = presented_token(scope)
        if presented is None:
            return None
        digest = digest_of(presented.reveal().encode())
        key_digest = await self._store.read(_find, {"digest": digest})
        principal = None if key_digest is None else await self._keys.of_digest(key_digest)
        if principal is None or not may_look(principal):
            return None
        return Session(presented, principal)

    async def end(self, session: Session) -> None:
        """From now on its cookie stands for nothing."""
        await self._store.write(_end, {"digest": digest_of(session.token.reveal().encode())})


def cookie_name(scope: Request) -> str:
    """By the port in the browser's address: a browser takes one host's cookies to all its ports.

    So two platforms on one host do not sign each other's people out. The port of the address and
    not that which is listened on: a browser's replicas behind one address share its session. No
    ``__Host-``: it would have the cookie sent to every path, and never without TLS.
    """
    found = _PORT.fullmatch(header(scope, b"host") or b"")
    return _COOKIE if found is None else f"{_COOKIE}_{int(found[1])}"


def presented_token(scope: Request) -> Secret | None:
    """What the cookie holds; None when there is none, or two."""
    pairs = (header(scope, b"cookie") or b"").decode("latin-1").split(";")
    named = (pair.strip().partition("=") for pair in pairs)
    wanted = cookie_name(scope)
    values = [value for name, _, value in named if name == wanted]
    if len(values) != 1 or not _TOKEN.fullmatch(values[0]):
        return None
    return Secret(values[0])


def cookie(scope: Request, session: Session | None) -> tuple[str, str]:
    """The header that has the browser keep the session's token, or with None forget it."""
    value, age = ("", 0) if session is None else (session.token.reveal(), LASTS_MS // 1_000)
    kept = f"{cookie_name(scope)}={value}; Path={scope['root_path']}; Max-Age={age}"
    text = f"{kept}; HttpOnly; SameSite=Strict"
    return "set-cookie", f"{text}; Secure" if scope["scheme"] == "https" else text


# -- operations of the store ----------------------------------------------------------------------


def _begin(connection: Connection, now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["sweep"], {"now": now})
    connection.execute(_SQL["begin"], {**params, "now": now})


def _find(connection: Connection, now: int, params: dict[str, Any]) -> bytes | None:
    row = connection.execute(_SQL["find"], {**params, "now": now}).fetchone()
    return None if row is None else bytes(row[0])


def _end(connection: Connection, _now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["end"], params)
