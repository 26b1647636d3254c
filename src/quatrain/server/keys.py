"""API keys: shown once, stored as a hash, each one tenant's and either test or live.

A key is ``vt_test_`` or ``vt_live_`` and 32 random bytes. The ledger's data belongs to a realm (a
tenant's test data, or its live data); a key opens one realm and nothing else.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError

from . import recognizer
from .ids import row_id
from .names import checked
from .recognizer import Found, Recognizer, digest_of, hint_of
from .store import Connection, Store, queries

_SQL: Final = queries.load("keys")


class Mode(StrEnum):
    """Test and live data never meet."""

    TEST = "test"
    LIVE = "live"


class Scope(StrEnum):
    """What a key may do."""

    READ = "effects:read"
    WRITE = "effects:write"
    RESET = "effects:reset"
    MANAGE = "platform:manage"
    """Change what the other platforms serve to the key's tenant, as the command line does."""
    METRICS = "metrics:read"
    """Read ``/metrics``, which tells of all tenants."""


PREFIXES: Final = {Mode.TEST: "vt_test_", Mode.LIVE: "vt_live_"}
ALL_SCOPES: Final = frozenset(Scope)
DEFAULT_SCOPES: Final = ALL_SCOPES - {Scope.MANAGE, Scope.METRICS}
"""What a key may do unless it is said: everything about effects."""


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
    tenant: str
    realm_id: int
    scopes: frozenset[str]


class KeyRing:
    """Makes, lists, revokes and recognises keys.

    ``create``, ``list`` and ``revoke`` block and may be called from any thread; ``authenticate`` is
    for the event loop.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._recognizer = Recognizer(store, find=_find, touch=_touch, monotonic=monotonic)

    def create(
        self,
        *,
        mode: Mode = Mode.TEST,
        tenant: str = "local",
        name: str = "default",
        scopes: Iterable[str] = DEFAULT_SCOPES,
    ) -> tuple[Key, Secret]:
        """A new key and, this once, its secret. Raises InputError for names it can't take."""
        mode = Mode(mode)
        secret = new_secret(mode)
        params = {
            "tenant": checked(tenant, "a tenant"),
            "mode": mode,
            "name": checked(name, "a key's name"),
            "hint": hint_of(secret, PREFIXES[mode]),
            "digest": digest_of(secret.reveal().encode()),
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
        number = row_id(key_id, "key")
        key = None if number is None else self._store.write_blocking(_revoke, {"id": number})
        if key is None:
            raise InputError(f"there is no key {key_id!r}")
        self._recognizer.forget()
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
        who = {"tenant": checked(tenant, "a tenant"), "mode": Mode(mode)}
        who["name"] = checked(name, "a key's name")
        self._recognizer.lend(secret, _lent, who)

    async def authenticate(self, presented: bytes) -> Principal | None:
        """Whose key that is; None for an unknown or revoked one."""
        return await self._recognizer.authenticate(presented)

    async def of_digest(self, digest: bytes) -> Principal | None:
        """Whose key has that digest; None when there is none, or none any more."""
        return await self._recognizer.of_digest(digest)


def new_secret(mode: Mode = Mode.TEST) -> Secret:
    """A key's text that nobody can guess; it opens nothing by itself."""
    return recognizer.new_secret(PREFIXES[mode])


def _scopes(scopes: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(scopes)
    if unknown := chosen - ALL_SCOPES:
        known = ", ".join(sorted(ALL_SCOPES))
        raise InputError(f"there is no scope {min(unknown)!r}; there are {known}")
    return chosen


# -- operations of the store ----------------------------------------------------------------------


def _create(connection: Connection, now: int, params: dict[str, Any]) -> Key:
    values = {**params, "now": now}
    connection.execute(_SQL["ensure_realm"], values)
    (row_id,) = connection.execute(_SQL["add_key"], values).fetchone()
    return _key(connection.execute(_SQL["get_key"], {"id": row_id}).fetchone())


def _lent(connection: Connection, _now: int, who: dict[str, Any]) -> Principal:
    connection.execute(_SQL["ensure_realm"], who)
    (realm_id,) = connection.execute(_SQL["find_realm"], who).fetchone()
    name = who["name"]
    return Principal(f"key_{name}", name, who["tenant"], realm_id, frozenset(ALL_SCOPES))


def _list(connection: Connection, _now: int, _: None) -> list[Key]:
    return [_key(row) for row in connection.execute(_SQL["list_keys"])]


def _revoke(connection: Connection, now: int, params: dict[str, Any]) -> Key | None:
    connection.execute(_SQL["revoke_key"], {**params, "now": now})
    row = connection.execute(_SQL["get_key"], params).fetchone()
    return None if row is None else _key(row)


def _find(connection: Connection, _now: int, digest: bytes) -> Found[Principal] | None:
    row = connection.execute(_SQL["find_key"], {"digest": digest}).fetchone()
    if row is None:
        return None
    row_id, tenant, realm_id, name, stored, scopes, last_used_at = row
    if not hmac.compare_digest(stored, digest):
        return None
    principal = Principal(f"key_{row_id}", name, tenant, realm_id, frozenset(scopes.split()))
    return Found(principal, row_id, last_used_at)


def _touch(connection: Connection, now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["touch_key"], {**params, "now": now})


def _key(row: tuple[Any, ...]) -> Key:
    row_id, name, tenant, mode, hint, scopes, *times = row
    return Key(f"key_{row_id}", name, tenant, Mode(mode), hint, frozenset(scopes.split()), *times)
