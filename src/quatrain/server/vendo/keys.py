"""Apps' keys: shown once, stored as a hash; those of one connection, too.

An app's key is ``vendo_sk_`` and 32 random bytes. A connection's is ``vendo_ck_…``: it opens that
connection's token, and the actions of its toolkit, and nothing else, and that only while its app is
bound to the connection. A key that was revoked or has expired is still known for what it was, so
that its bearer can be told. Source: contracts, Vendo.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Any, Final

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server import recognizer
from quatrain.server.ids import row_id
from quatrain.server.names import checked
from quatrain.server.recognizer import Found, Recognizer, digest_of, hint_of
from quatrain.server.store import Connection, Store, queries

from . import apps
from .apps import checked_slug
from .records import AppExpiredError, AppRevokedError, AppUnknownError, Caller

APP_PREFIX: Final = "vendo_sk_"
CONNECTION_PREFIX: Final = "vendo_ck_"
LENT_APP: Final = "local"
"""The app that a lent key is of."""
_MAX_TIME: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_SQL: Final = queries.load("vendo_apps")
_CONNECTIONS: Final = queries.load("vendo_connections")


@attrs.frozen
class Key:
    """What is known of a key; its secret is not."""

    key_id: str
    """``key_<number>``."""
    app: str
    """The app's slug."""
    integration: str | None
    """The slug of the connection that it opens; None for an app's own."""
    connection_id: str | None
    hint: str
    """Its first characters, to tell it from others."""
    created_at: int
    """Milliseconds since 1970, like the other times."""
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


@attrs.frozen
class _Known:
    """A key that is, or was, one of ours."""

    caller: Caller
    revoked: bool
    expires_at: int | None


class AppKeys:
    """Makes, lists, revokes and recognises keys.

    ``create``, ``list`` and ``revoke`` block and may be called from any thread; ``authenticate`` is
    for the event loop.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._recognizer = Recognizer(store, find=_find, touch=_touch, monotonic=monotonic)

    def create(
        self,
        tenant: str,
        app: str,
        *,
        connection_id: str | None = None,
        expires_at: int | None = None,
    ) -> tuple[Key, Secret]:
        """A new key of the app, which is made if need be, and, this once, its secret.

        With a *connection_id*, a key of that connection, which the app must be bound to.
        *expires_at* is in milliseconds since 1970. Raises InputError for what can't be meant.
        """
        prefix = APP_PREFIX if connection_id is None else CONNECTION_PREFIX
        secret = recognizer.new_secret(prefix)
        params = {
            "tenant": checked(tenant, "a tenant"),
            "slug": checked_slug(app),
            "name": None,
            "connection": connection_id,
            "hint": hint_of(secret, prefix),
            "digest": digest_of(secret.reveal().encode()),
            "expires_at": self._expiry(expires_at),
        }
        key = self._store.write_blocking(_create, params)
        if key is None:
            raise InputError(f"the app {app!r} has no connection {str(connection_id)[:50]!r}")
        return key, secret

    def list(self, tenant: str) -> list[Key]:
        """Every key of the tenant's apps, revoked and expired ones too, oldest first."""
        return self._store.read_blocking(_list, tenant)

    def revoke(self, tenant: str, key_id: str) -> Key:
        """From now on the key opens nothing; within a second in other processes.

        Revoking twice is fine. Raises InputError for a key that the tenant does not have.
        """
        number = row_id(key_id, "key")
        params = {"tenant": tenant, "id": number}
        key = None if number is None else self._store.write_blocking(_revoke, params)
        if key is None:
            raise InputError(f"there is no key {key_id[:50]!r}")
        self._recognizer.forget()
        return key

    def lend(self, secret: Secret, *, tenant: str) -> None:
        """Let *secret* be a key of the tenant's app "local" for as long as this lives.

        Such a key is never stored, and so never listed: it is for the process that made it up. The
        app is made, if need be, when the key is first used.
        """
        self._recognizer.lend(secret, _lent, checked(tenant, "a tenant"))

    async def authenticate(self, presented: bytes) -> Caller:
        """Whose key that is.

        Raises AppUnknownError, AppRevokedError or AppExpiredError.
        """
        known = await self._recognizer.authenticate(presented)
        if known is None:
            raise AppUnknownError("this API key is none of this platform's")
        if known.revoked:
            raise AppRevokedError("this API key was revoked")
        if known.expires_at is not None and self._store.now_ms() >= known.expires_at:
            raise AppExpiredError("this API key has expired")
        return known.caller

    def _expiry(self, expires_at: int | None) -> int | None:
        if expires_at is not None and not self._store.now_ms() < expires_at <= _MAX_TIME:
            raise InputError("a key must expire in the future")
        return expires_at


def new_secret() -> Secret:
    """An app key's text that nobody can guess; it opens nothing by itself."""
    return recognizer.new_secret(APP_PREFIX)


# -- operations of the store ----------------------------------------------------------------------


def _create(connection: Connection, now: int, params: dict[str, Any]) -> Key | None:
    bound = None
    if params["connection"] is not None:
        bound = connection.execute(_CONNECTIONS["bound_row"], params).fetchone()
        if bound is None:
            return None
    app = apps.ensure(connection, now, params)
    row = {
        **params,
        "app_id": app.id,
        "connection_id": None if bound is None else bound[0],
        "now": now,
    }
    (number,) = connection.execute(_SQL["add_key"], row).fetchone()
    return _key(connection.execute(_SQL["get_key"], {**params, "id": number}).fetchone())


def _list(connection: Connection, _now: int, tenant: str) -> list[Key]:
    return [_key(row) for row in connection.execute(_SQL["list_keys"], {"tenant": tenant})]


def _revoke(connection: Connection, now: int, params: dict[str, Any]) -> Key | None:
    connection.execute(_SQL["revoke_key"], {**params, "now": now})
    row = connection.execute(_SQL["get_key"], params).fetchone()
    return None if row is None else _key(row)


def _lent(connection: Connection, now: int, tenant: str) -> _Known:
    app = apps.ensure(connection, now, {"tenant": tenant, "slug": LENT_APP, "name": None})
    return _Known(Caller(app.id, tenant, app.slug), revoked=False, expires_at=None)


def _find(connection: Connection, now: int, digest: bytes) -> Found[_Known] | None:
    row = connection.execute(_SQL["find_key"], {"digest": digest}).fetchone()
    if row is None:
        return None
    number, last_used_at, stored, revoked_at, expires_at, bound, app_id, tenant, slug = row
    if not hmac.compare_digest(stored, digest):
        return None
    known = _Known(
        Caller(app_id, tenant, slug, f"key_{number}", bound), revoked_at is not None, expires_at
    )
    # nobody uses a key that opens nothing: no note is taken of it
    ended = known.revoked or (expires_at is not None and expires_at <= now)
    return Found(known, number, now if ended else last_used_at)


def _touch(connection: Connection, now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["touch_key"], {**params, "now": now})


def _key(row: tuple[Any, ...]) -> Key:
    number, *rest = row
    return Key(f"key_{number}", *rest)
