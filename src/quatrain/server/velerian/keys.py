"""Velerian's keys: shown once, stored as a hash, each one tenant's and one user's.

A key is ``vk_live_`` and 32 random bytes. ``read`` stands for every scope that reads, ``write`` for
``runs:write``; ``admin`` may do all that, and mint and revoke keys. Source: contracts, Velerian.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server import recognizer
from quatrain.server.ids import row_id
from quatrain.server.names import checked
from quatrain.server.recognizer import Found, Recognizer, digest_of, hint_of
from quatrain.server.store import Connection, Store, queries

from . import audit

PREFIX: Final = "vk_live_"
RUNS_READ: Final = "runs:read"
RUNS_WRITE: Final = "runs:write"
EVIDENCE_READ: Final = "evidence:read"
AUDIT_READ: Final = "audit:read"
ADMIN: Final = "admin"

FINE_SCOPES: Final = frozenset({RUNS_READ, RUNS_WRITE, EVIDENCE_READ, AUDIT_READ})
MEANINGS: Final = {
    "read": frozenset({RUNS_READ, EVIDENCE_READ, AUDIT_READ}),
    "write": frozenset({RUNS_WRITE}),
    ADMIN: FINE_SCOPES | {ADMIN},
}
"""What the coarse scopes stand for."""
SCOPES: Final = FINE_SCOPES | MEANINGS.keys()
DEFAULT_SCOPES: Final = FINE_SCOPES
MAX_RATE: Final = 1_000_000
"""Requests a minute."""
_MAX_TIME: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_SQL: Final = queries.load("velerian_keys")


@attrs.frozen
class Key:
    """What is known of a key; its secret is not."""

    key_id: str
    """``key_<number>``."""
    name: str
    user_id: str
    hint: str
    """Its first characters, to tell it from others."""
    scopes: frozenset[str]
    """As they were given, the coarse ones too."""
    rate_per_minute: int | None
    """None for the platform's."""
    created_at: int
    """Milliseconds since 1970, like the other times."""
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


@attrs.frozen
class Principal:
    """Whom a request comes from, and for which tenant."""

    tenant: str
    user_id: str
    key_id: str
    scopes: frozenset[str]
    """The fine ones that it may use, and ``admin``."""
    rate_per_minute: int | None
    expires_at: int | None = None


class VelerianKeys:
    """Makes, lists, revokes and recognises keys.

    ``create``, ``list``, ``page`` and ``revoke`` block and may be called from any thread;
    ``authenticate`` is for the event loop.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._recognizer = Recognizer(store, find=_find, touch=_touch, monotonic=monotonic)

    def create(
        self,
        tenant: str,
        *,
        name: str = "default",
        scopes: Iterable[str] = DEFAULT_SCOPES,
        user_id: str = "local",
        rate_per_minute: int | None = None,
        expires_at: int | None = None,
        by: str = "local",
    ) -> tuple[Key, Secret]:
        """A new key and, this once, its secret; the audit log says that *by* made it.

        *rate_per_minute* is how many requests it may make, the platform's usual number by default;
        *expires_at* is in milliseconds since 1970. Raises InputError for what can't be meant.
        """
        secret = new_secret()
        params = {
            "tenant": checked(tenant, "a tenant"),
            "name": checked(name, "a key's name"),
            "user_id": checked(user_id, "a user's id"),
            "hint": hint_of(secret, PREFIX),
            "digest": digest_of(secret.reveal().encode()),
            "scopes": " ".join(sorted(_scopes(scopes))),
            "rate_per_minute": _rate(rate_per_minute),
            "expires_at": self._expiry(expires_at),
            "by": checked(by, "a user's id"),
        }
        return self._store.write_blocking(_create, params), secret

    def page(self, tenant: str, *, limit: int, offset: int) -> tuple[list[Key], int]:
        """Some of the tenant's keys, oldest first, and how many there are."""
        params = {"tenant": tenant, "limit": limit, "offset": offset}
        return self._store.read_blocking(_page, params)

    def revoke(self, tenant: str, key_id: str, *, by: str = "local") -> Key:
        """From now on the key opens nothing; within a second in other processes.

        Revoking twice is fine, and told once. Raises InputError for a key that the tenant does not
        have.
        """
        params = {"tenant": tenant, "id": _row_id(key_id), "by": checked(by, "a user's id")}
        key = self._store.write_blocking(_revoke, params)
        if key is None:
            raise InputError(f"there is no key {key_id[:50]!r}")
        self._recognizer.forget()
        return key

    def lend(self, secret: Secret, *, tenant: str) -> None:
        """Let *secret* be an admin of the tenant for as long as this lives.

        Such a key is never stored, and so never listed: it is for the process that made it up.
        """
        self._recognizer.lend(secret, _lent, checked(tenant, "a tenant"))

    async def authenticate(self, presented: bytes) -> Principal | None:
        """Whose key that is; None for an unknown, a revoked or an expired one."""
        principal = await self._recognizer.authenticate(presented)
        if principal is None or principal.expires_at is None:
            return principal
        return principal if self._store.now_ms() < principal.expires_at else None

    def list(self, tenant: str) -> list[Key]:
        """Every key of the tenant, revoked and expired ones too, oldest first."""
        return self._store.read_blocking(_list, tenant)

    def _expiry(self, expires_at: int | None) -> int | None:
        if expires_at is not None and not self._store.now_ms() < expires_at <= _MAX_TIME:
            raise InputError("a key must expire in the future")
        return expires_at


def new_secret() -> Secret:
    """A key's text that nobody can guess; it opens nothing by itself."""
    return recognizer.new_secret(PREFIX)


def _scopes(scopes: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(scopes)
    if unknown := chosen - SCOPES:
        known = ", ".join(sorted(SCOPES))
        raise InputError(f"there is no scope {min(unknown)[:50]!r}; there are {known}")
    if not chosen:
        raise InputError("a key without a scope opens nothing")
    return chosen


def _rate(rate: int | None) -> int | None:
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise InputError(f"a key's rate is 1 to {MAX_RATE:,} requests a minute, not {rate}")
    return rate


def _row_id(key_id: str) -> int:
    number = row_id(key_id, "key")
    if number is None:
        raise InputError(f"there is no key {key_id[:50]!r}")
    return number


# -- operations of the store ----------------------------------------------------------------------


def _create(connection: Connection, now: int, params: dict[str, Any]) -> Key:
    (row_id,) = connection.execute(_SQL["add_key"], {**params, "now": now}).fetchone()
    key = _key(connection.execute(_SQL["get_key"], {**params, "id": row_id}).fetchone())
    _tell(connection, now, params, "api_key.create", key)
    return key


def _list(connection: Connection, _now: int, tenant: str) -> list[Key]:
    return [_key(row) for row in connection.execute(_SQL["list_keys"], {"tenant": tenant})]


def _page(connection: Connection, _now: int, params: dict[str, Any]) -> tuple[list[Key], int]:
    (total,) = connection.execute(_SQL["count_keys"], params).fetchone()
    return [_key(row) for row in connection.execute(_SQL["page_of_keys"], params)], total


def _revoke(connection: Connection, now: int, params: dict[str, Any]) -> Key | None:
    first = connection.execute(_SQL["revoke_key"], {**params, "now": now}).fetchone()
    row = connection.execute(_SQL["get_key"], params).fetchone()
    if row is None:
        return None
    key = _key(row)
    if first is not None:
        _tell(connection, now, params, "api_key.revoke", key)
    return key


def _tell(connection: Connection, now: int, params: dict[str, Any], action: str, key: Key) -> None:
    audit.append(
        connection,
        now,
        params["tenant"],
        actor=params["by"],
        action=action,
        resource_kind="api_key",
        resource_id=key.key_id,
        detail={"name": key.name, "user_id": key.user_id, "scopes": sorted(key.scopes)},
    )


def _lent(_connection: Connection, _now: int, tenant: str) -> Principal:
    return Principal(tenant, "local", "key_embedded", MEANINGS[ADMIN], None)


def _find(connection: Connection, _now: int, digest: bytes) -> Found[Principal] | None:
    row = connection.execute(_SQL["find_key"], {"digest": digest}).fetchone()
    if row is None:
        return None
    row_id, last_used_at, stored, tenant, user_id, scopes, rate, expires_at = row
    if not hmac.compare_digest(stored, digest):
        return None
    fine = frozenset().union(*(MEANINGS.get(each, {each}) for each in scopes.split()))
    principal = Principal(tenant, user_id, f"key_{row_id}", fine, rate, expires_at)
    return Found(principal, row_id, last_used_at)


def _touch(connection: Connection, now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["touch_key"], {**params, "now": now})


def _key(row: tuple[Any, ...]) -> Key:
    row_id, name, user_id, hint, scopes, *rest = row
    return Key(f"key_{row_id}", name, user_id, hint, frozenset(scopes.split()), *rest)
