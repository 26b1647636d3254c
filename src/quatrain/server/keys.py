"""API keys: shown once, stored as a hash, each one tenant's and either test or live.

A key is ``vt_test_`` or ``vt_live_`` and 32 random bytes. The ledger's data belongs to a realm (a
tenant's test data, or its live data); a key opens one realm and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError

from .store import SqliteStore, queries

_SQL: Final = queries.load("keys")
_RANDOM_BYTES: Final = 32
_MAX_NAME: Final = 200
_TRUSTED_FOR: Final = 1.0
"""Seconds until a key is looked up again: so long another process's revocation may go unseen."""
_TOUCH_EVERY_MS: Final = 60_000
"""``last_used_at`` is right to a minute; to the second, every request would be a write."""


class Mode(StrEnum):
    """Test and live data never meet."""

    TEST = "test"
    LIVE = "live"


class Scope(StrEnum):
    """What a key may do."""

    READ = "effects:read"
    WRITE = "effects:write"
    RESET = "effects:reset"


PREFIXES: Final = {Mode.TEST: "vt_test_", Mode.LIVE: "vt_live_"}
ALL_SCOPES: Final = frozenset(Scope)


@attrs.frozen
class Key:
    """What is known of a key; its secret is not."""

    key_id: str
    name: str
    tenant: str
    mode: Mode
    hint: str
    """Its first characters, to tell it from others."""
    scopes: frozenset[str]
    created_at: int
    """Milliseconds since 1970, like the other times."""
    last_used_at: int | None
    revoked_at: int | None


@attrs.frozen
class Principal:
    """Whom a request comes from, and which realm is theirs."""

    key_id: str
    key_name: str
    realm_id: int
    scopes: frozenset[str]


class KeyRing:
    """Makes, lists, revokes and recognises keys.

    ``create``, ``list`` and ``revoke`` block and may be called from any thread; ``authenticate`` is
    for the event loop.
    """

    def __init__(
        self, store: SqliteStore, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._lent: dict[bytes, tuple[str, dict[str, Any]]] = {}

    def create(
        self,
        *,
        mode: Mode = Mode.TEST,
        tenant: str = "local",
        name: str = "default",
        scopes: Iterable[str] = ALL_SCOPES,
    ) -> tuple[Key, Secret]:
        """A new key and, this once, its secret. Raises InputError for names it can't take."""
        mode = Mode(mode)
        secret = new_secret(mode)
        params = {
            "tenant": _name(tenant, "a tenant"),
            "mode": mode,
            "name": _name(name, "a key's name"),
            "hint": secret.reveal()[: len(PREFIXES[mode]) + 4],
            "digest": _digest(secret.reveal().encode()),
            "scopes": " ".join(sorted(_scopes(scopes))),
        }
        return self._store.write_blocking(_create, params), secret

    def list(self) -> list[Key]:
        """Every key, revoked ones too, oldest first."""
        return self._store.read_blocking(_list, None)

    def revoke(self, key_id: str) -> Key:
        """From now on the key opens nothing; within a second in other processes.

        Revoking twice is fine. Raises InputError for a key that there is not.
        """
        key = self._store.write_blocking(_revoke, {"id": _row_id(key_id)})
        if key is None:
            raise InputError(f"there is no key {key_id!r}")
        self._known.clear()
        return key

    def lend(
        self,
        secret: Secret,
        *,
        mode: Mode = Mode.TEST,
        tenant: str = "local",
        name: str = "embedded",
    ) -> None:
        """Let *secret* open a realm for as long as this key ring lives.

        Such a key is never stored, and so never listed: it is for the process that made it up.
        """
        realm = {"tenant": _name(tenant, "a tenant"), "mode": Mode(mode)}
        self._lent[_digest(secret.reveal().encode())] = _name(name, "a key's name"), realm

    async def authenticate(self, presented: bytes) -> Principal | None:
        """Whose key that is; None for an unknown or revoked one."""
        digest = _digest(presented)
        now = self._monotonic()
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        if digest in self._lent:
            name, realm = self._lent[digest]
            realm_id = await self._store.write(_realm, realm)
            principal = Principal(f"key_{name}", name, realm_id, frozenset(ALL_SCOPES))
            self._known[digest] = principal, math.inf
            return principal
        found = await self._store.read(_find, digest)
        if found is None:
            self._known.pop(digest, None)
            return None
        principal, last_used_at = found
        if last_used_at is None or self._store.now_ms() - last_used_at >= _TOUCH_EVERY_MS:
            self._store.write_unawaited(_touch, {"id": _row_id(principal.key_id)})
        self._known[digest] = principal, now + _TRUSTED_FOR
        return principal


def new_secret(mode: Mode = Mode.TEST) -> Secret:
    """A key's text that nobody can guess; it opens nothing by itself."""
    return Secret(PREFIXES[mode] + secrets.token_urlsafe(_RANDOM_BYTES))


def _digest(key: bytes) -> bytes:
    # 32 random bytes can't be guessed from their hash: no salt, no slow hash
    return hashlib.sha256(key).digest()


def _name(value: str, what: str) -> str:
    if not value.strip() or len(value) > _MAX_NAME or not value.isprintable():
        raise InputError(f"{what} is 1 to {_MAX_NAME} printable characters, not {value[:50]!r}")
    return value


def _scopes(scopes: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(scopes)
    if unknown := chosen - ALL_SCOPES:
        known = ", ".join(sorted(ALL_SCOPES))
        raise InputError(f"there is no scope {min(unknown)!r}; there are {known}")
    return chosen


def _row_id(key_id: str) -> int:
    head, _, number = key_id.partition("_")
    if head == "key" and number.isascii() and number.isdecimal() and len(number) < 19:
        return int(number)
    raise InputError(f"there is no key {key_id!r}")


# -- operations of the store ----------------------------------------------------------------------


def _create(connection: sqlite3.Connection, now: int, params: dict[str, Any]) -> Key:
    values = {**params, "now": now}
    connection.execute(_SQL["ensure_realm"], values)
    (row_id,) = connection.execute(_SQL["add_key"], values).fetchone()
    return _key(connection.execute(_SQL["get_key"], {"id": row_id}).fetchone())


def _realm(connection: sqlite3.Connection, _now: int, realm: dict[str, Any]) -> int:
    connection.execute(_SQL["ensure_realm"], realm)
    (realm_id,) = connection.execute(_SQL["find_realm"], realm).fetchone()
    return int(realm_id)


def _list(connection: sqlite3.Connection, _now: int, _: None) -> list[Key]:
    return [_key(row) for row in connection.execute(_SQL["list_keys"])]


def _revoke(connection: sqlite3.Connection, now: int, params: dict[str, Any]) -> Key | None:
    connection.execute(_SQL["revoke_key"], {**params, "now": now})
    row = connection.execute(_SQL["get_key"], params).fetchone()
    return None if row is None else _key(row)


def _find(
    connection: sqlite3.Connection, _now: int, digest: bytes
) -> tuple[Principal, int | None] | None:
    row = connection.execute(_SQL["find_key"], {"digest": digest}).fetchone()
    if row is None:
        return None
    row_id, realm_id, name, stored, scopes, last_used_at = row
    if not hmac.compare_digest(stored, digest):
        return None
    return Principal(f"key_{row_id}", name, realm_id, frozenset(scopes.split())), last_used_at


def _touch(connection: sqlite3.Connection, now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["touch_key"], {**params, "now": now})


def _key(row: tuple[Any, ...]) -> Key:
    row_id, name, tenant, mode, hint, scopes, *times = row
    return Key(f"key_{row_id}", name, tenant, Mode(mode), hint, frozenset(scopes.split()), *times)
