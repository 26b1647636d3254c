"""Installs: a founder let an extension in, and these are the keys to that.

A key is ``vos_ext_`` and 32 random bytes, shown once and stored as a hash. It opens what its scopes
say, or in sandbox mode a made-up founder's data. Source: contracts, Velocity OS.
"""

from __future__ import annotations

import hmac
import re
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

from . import events, seeding, values
from .operations import ensure_account

PREFIX: Final = "vos_ext_"

_SQL: Final = queries.load("velocity")
_SLUG: Final = re.compile(r"[a-z0-9-]{1,100}")


@attrs.frozen
class Extension:
    """An extension, as an account knows it."""

    id: int
    slug: str
    name: str
    developer: str
    created_at: int
    """Milliseconds since 1970, like the other times."""


@attrs.frozen
class Install:
    """What is known of an install; its key is not."""

    install_id: str
    """``ins_<number>``."""
    extension_id: int
    slug: str
    name: str
    """The extension's."""
    developer: str
    hint: str
    """The key's first characters; empty for the platform's own, whose key nobody has."""
    scopes: frozenset[str]
    sandbox: bool
    created_at: int
    last_used_at: int | None
    revoked_at: int | None


@attrs.frozen
class Caller:
    """Which install a request comes from, and whose data is theirs."""

    install_id: str
    account: int
    """The account's id."""
    tenant: str
    venture_id: str
    extension_id: int
    slug: str
    name: str
    """The extension's."""
    developer: str
    scopes: frozenset[str]
    sandbox: bool


class Installs:
    """Makes, lists, revokes and recognises installs.

    Blocking, from any thread: ``create``, ``list``, ``revoke``, ``extensions``. ``authenticate`` is
    for the event loop. An *account* is an account's id.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._recognizer = Recognizer(store, find=_find, touch=_touch, monotonic=monotonic)

    def extensions(self, account: int) -> list[Extension]:
        """Every extension that the account knows, oldest first."""
        return self._store.read_blocking(_extensions, account)

    def create(
        self,
        account: int,
        slug: str,
        *,
        name: str | None = None,
        developer: str | None = None,
        scopes: Iterable[str] | None = None,
        sandbox: bool = False,
    ) -> tuple[Install, Secret]:
        """A new install of the extension *slug* and, this once, its key.

        An extension that the account does not know is made; *name* and *developer* are the
        extension's, and change it when they are given. *scopes* are all unless they are given.
        Sends extension.installed. Raises InputError for values that can't be meant.
        """
        secret = new_secret()
        params = {
            "account_id": account,
            "slug": _slug(slug),
            "name": None if name is None else _name(name),
            "developer": None if developer is None else _name(developer),
            "new_name": name or slug,
            "new_developer": developer or seeding.DEVELOPER,
            "hint": hint_of(secret, PREFIX),
            "digest": digest_of(secret.reveal().encode()),
            "scopes": " ".join(sorted(_scopes(scopes))),
            "sandbox": int(sandbox),
        }
        install = self._store.write_blocking(_create, params)
        self._recognizer.forget()  # the extension may go by another name now
        return install, secret

    def revoke(self, account: int, install_id: str) -> Install:
        """From now on its key opens nothing; within a second in other processes.

        Sends extension.revoked. Revoking twice is fine, and tells nobody again. Raises InputError
        for an install that the account does not have.
        """
        number = row_id(install_id, "ins")
        params = {"account_id": account, "id": number}
        found = None if number is None else self._store.write_blocking(_revoke, params)
        if found is None:
            raise InputError(f"there is no install {install_id[:50]!r}")
        self._recognizer.forget()
        return found

    def lend(
        self,
        secret: Secret,
        *,
        tenant: str,
        slug: str = seeding.SLUG,
        scopes: Iterable[str] | None = None,
    ) -> None:
        """Let *secret* be a key of the tenant's extension *slug* for as long as this lives.

        Such a key is never stored: it is for the process that made it up. The install that it
        stands for is made, if need be, when the key is first used.
        """
        whose = _Lent(checked(tenant, "a tenant", values.MAX_NAME), _slug(slug), _scopes(scopes))
        self._recognizer.lend(secret, _lent, whose)

    async def authenticate(self, presented: bytes) -> Caller | None:
        """Whose key that is; None for an unknown or revoked one."""
        return await self._recognizer.authenticate(presented)

    def list(self, account: int) -> list[Install]:
        """Every install of the account, revoked ones too, oldest first."""
        return self._store.read_blocking(_list, account)


def new_secret() -> Secret:
    """A key's text that nobody can guess; it opens nothing by itself."""
    return recognizer.new_secret(PREFIX)


@attrs.frozen
class _Lent:
    tenant: str
    slug: str
    scopes: frozenset[str]


def _slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise InputError(
            "an extension's slug is 1 to 100 lower-case letters, digits and hyphens,"
            f" not {slug[:50]!r}"
        )
    return slug


def _name(value: str) -> str:
    return checked(value, "a name", values.MAX_NAME)


def _scopes(scopes: Iterable[str] | None) -> frozenset[str]:
    if scopes is None:
        return values.SCOPES
    chosen = frozenset(scopes)
    if unknown := chosen - values.SCOPES:
        known = ", ".join(sorted(values.SCOPES))
        raise InputError(f"there is no scope {min(unknown)!r}; there are {known}")
    return chosen


# -- operations of the store ----------------------------------------------------------------------


def _create(connection: Connection, now: int, params: dict[str, Any]) -> Install:
    row = {**params, "now": now}
    (row["extension_id"],) = connection.execute(_SQL["ensure_extension"], row).fetchone()
    (row["id"],) = connection.execute(_SQL["add_install"], row).fetchone()
    install = _install(connection.execute(_SQL["install"], row).fetchone())
    events.to_extension(
        connection,
        now,
        install.extension_id,
        install.scopes,
        "extension.installed",
        events.extension_installed(install.slug, install.scopes),
    )
    return install


def _list(connection: Connection, _now: int, account: int) -> list[Install]:
    rows = connection.execute(_SQL["installs"], {"account_id": account})
    return [_install(row) for row in rows]


def _revoke(connection: Connection, now: int, params: dict[str, Any]) -> Install | None:
    first = connection.execute(_SQL["revoke_install"], {**params, "now": now}).fetchone()
    row = connection.execute(_SQL["install"], params).fetchone()
    if row is None:
        return None
    install = _install(row)
    if first is not None:
        events.to_extension(
            connection,
            now,
            install.extension_id,
            install.scopes,
            "extension.revoked",
            events.extension_revoked(install.install_id),
        )
    return install


def _extensions(connection: Connection, _now: int, account: int) -> list[Extension]:
    rows = connection.execute(_SQL["extensions"], {"account_id": account})
    return [Extension(*row) for row in rows]


def _lent(connection: Connection, now: int, whose: _Lent) -> Caller:
    who = {"tenant": whose.tenant, "email": None, "name": None}
    account = ensure_account(connection, now, who)
    number = seeding.ensure_keyless_install(connection, now, account.id, whose.slug, whose.scopes)
    return _caller(connection.execute(_SQL["caller"], {"id": number}).fetchone())


def _find(connection: Connection, _now: int, digest: bytes) -> Found[Caller] | None:
    row = connection.execute(_SQL["find_install"], {"digest": digest}).fetchone()
    if row is None:
        return None
    number, last_used_at, stored, *_ = row
    if not hmac.compare_digest(stored, digest):
        return None
    return Found(_caller(row), number, last_used_at)


def _touch(connection: Connection, now: int, params: dict[str, Any]) -> None:
    connection.execute(_SQL["touch_install"], {**params, "now": now})


def _install(row: tuple[Any, ...]) -> Install:
    number, extension_id, slug, name, developer, hint, scopes, sandbox, *times = row
    return Install(
        f"ins_{number}",
        extension_id,
        slug,
        name,
        developer,
        hint,
        frozenset(scopes.split()),
        bool(sandbox),
        *times,
    )


def _caller(row: tuple[Any, ...]) -> Caller:
    number, _, _, scopes, sandbox, extension_id, slug, name, developer, account, *whose = row
    tenant, venture_id = whose
    return Caller(
        f"ins_{number}",
        account,
        tenant,
        venture_id,
        extension_id,
        slug,
        name,
        developer,
        frozenset(scopes.split()),
        bool(sandbox),
    )
