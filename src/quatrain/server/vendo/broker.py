"""What is asked of connections, whoever asks: clients, people, the connect page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from quatrain._catalogue import CATALOGUE
from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server import jsontext
from quatrain.server.names import checked
from quatrain.server.problems import accepted
from quatrain.server.store import Connection as Database
from quatrain.server.store import Store

from . import apps, connections, tokens
from .connections import CONNECTED, NEEDS_REAUTH, REVOKED, Connection, Wanted
from .records import (
    EVERYBODY,
    BindingMissingError,
    Caller,
    ConnectionRevokedError,
    ForbiddenError,
    UpstreamFailedError,
    VendoRefusedError,
)
from .safe import Safe
from .tokens import Stored, Token

MAX_KEY: Final = 10_000
"""Characters of a key that is pasted."""
MAX_METADATA: Final = 65_536
"""Bytes of JSON."""
STATUSES: Final = ("connected", "pending_setup", "needs_reauth", "error")
"""What a person may say of a connection; it is revoked by being disconnected."""
_MAX_ERROR: Final = 500


class Connections:
    """Makes, changes and ends connections, and hands out their tokens; for the event loop.

    A RefusedError is raised when the state of things forbids a change, UnavailableError (one of
    them) when the tokens can't be opened, InputError for values that can't be meant. *wake* tells
    who waits for events that there may be one.
    """

    def __init__(self, store: Store, safe: Safe, *, wake: Callable[[], None]) -> None:
        self._store = store
        self._safe = safe
        self._wake = wake

    # -- connecting -------------------------------------------------------------------------------

    async def connect(
        self,
        tenant: str,
        app: str,
        slug: str,
        *,
        key: Secret | None = None,
        user_id: str = EVERYBODY,
        external_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Connection:
        """Connect an integration for an app, which is made if need be.

        With a *key*, that is its token. Without one, the simulated provider grants it, where the
        integration is one that is granted.
        """
        params = {
            "tenant": checked(tenant, "a tenant"),
            "slug": apps.checked_slug(app),
            "name": None,
        }
        known = CATALOGUE.get(slug)
        if known is None:
            raise InputError(f"there is no integration {slug[:50]!r}; there are {_known()}")
        if key is None and not known.oauth:
            raise InputError(f"{known.name} is connected with a key")
        wanted = {
            "tenant": tenant,
            "slug": slug,
            "ring": await self._safe.ring(),
            "key": None if key is None else checked_key(key),
            "user_id": checked_user(user_id),
            "external_id": None if external_id is None else checked(external_id, "an external id"),
            "metadata": None if metadata is None else checked_metadata(metadata),
        }
        made = await self._store.write(_connect, (params, wanted))
        self._wake()
        return made

    async def disconnect(self, tenant: str, connection_id: str) -> Connection:
        """End it, for every app. Twice is fine."""
        return await self._change(connections.disconnect, tenant, connection_id)

    async def set_status(
        self, tenant: str, connection_id: str, status: str, error_message: str | None = None
    ) -> Connection:
        """Say how it stands: ``connected``, ``pending_setup``, ``needs_reauth`` or ``error``."""
        if status not in STATUSES:
            raise InputError(f"a status is one of {', '.join(STATUSES)}, not {status[:50]!r}")
        if error_message is not None:
            checked(error_message, "an error message", _MAX_ERROR)
        return await self._change(
            connections.set_status,
            tenant,
            connection_id,
            status=status,
            error_message=error_message,
        )

    async def set_metadata(
        self, tenant: str, connection_id: str, metadata: dict[str, Any]
    ) -> Connection:
        """Keep other metadata, at most 64 KiB of JSON."""
        text = checked_metadata(metadata)
        return await self._change(connections.set_metadata, tenant, connection_id, metadata=text)

    async def bind(self, tenant: str, connection_id: str, app_id: int) -> Connection:
        """Let an app use it."""
        return await self._change(connections.bind, tenant, connection_id, app_id=app_id)

    async def unbind(self, tenant: str, connection_id: str, app_id: int) -> Connection:
        """Let an app use it no more."""
        return await self._change(connections.unbind, tenant, connection_id, app_id=app_id)

    async def expire_token(self, tenant: str, connection_id: str) -> Connection:
        """Let its token be over: it is renewed when it is next asked for."""
        return await self._change(connections.expire_token, tenant, connection_id)

    async def revoke_grant(self, tenant: str, connection_id: str) -> Connection:
        """Have its person take the grant back at the simulated provider, unknown to us."""
        return await self._change(connections.revoke_grant, tenant, connection_id)

    async def page(
        self, tenant: str, *, revoked: bool = False, limit: int = 1_000, offset: int = 0
    ) -> list[tuple[Connection, list[str]]]:
        """The tenant's, oldest first, each with the apps that use it; *revoked* ones only so."""
        params = {"tenant": tenant, "revoked": int(revoked), "limit": limit, "offset": offset}
        return await self._store.read(connections.of_tenant, params)

    async def shown(self, tenant: str, connection_id: str) -> tuple[Connection, list[str]]:
        """One of the tenant's, with the apps that use it."""
        params = {"tenant": tenant, "connection_id": connection_id}
        return accepted(await self._store.read(_shown, params))

    async def _change(
        self,
        operation: Callable[[Database, int, dict[str, Any]], Connection | VendoRefusedError],
        tenant: str,
        connection_id: str,
        **params: Any,
    ) -> Connection:
        params |= {"tenant": tenant, "connection_id": connection_id}
        changed = accepted(await self._store.write(operation, params))
        self._wake()
        return changed

    # -- using ------------------------------------------------------------------------------------

    async def of(self, caller: Caller) -> list[Connection]:
        """What the app may use, one to each integration: the user's own before everybody's."""
        found = await self._store.read(connections.of_app, _whose(caller))
        best: dict[str, Connection] = {}
        for each in found:
            best.setdefault(each.slug, each)
        return sorted(best.values(), key=lambda each: each.row)

    async def token(self, caller: Caller, slug: str) -> Token:
        """What opens the caller's connection to *slug*, renewed if it is about to expire."""
        (found,) = await self._store.read(_lookup, (caller, [slug]))
        if isinstance(found, VendoRefusedError):
            raise found
        return await self._opened(found)

    async def tokens(self, caller: Caller, slugs: Collection[str]) -> dict[str, Token | None]:
        """The same of several; None for those that would be refused."""
        found = await self._store.read(_lookup, (caller, list(slugs)))
        opened: dict[str, Token | None] = {}
        for slug, each in zip(slugs, found, strict=True):
            opened[slug] = None
            if isinstance(each, Stored):
                # what is sealed with another key is refused as a whole: it is not "not connected"
                opened[slug] = await self._opened_or_none(each)
        return opened

    async def usable(self, caller: Caller, slug: str) -> Connection:
        """The caller's connection to *slug*, without its token; refused like its token would be."""
        return accepted(await self._store.read(usable_by, (caller, slug)))

    async def reseal(self) -> int:
        """Seal every token anew with the first of the platform's keys; how many were not."""
        ring = await self._safe.ring()
        after = count = 0
        while True:
            after, sealed = await self._store.write(tokens.reseal, (ring, after))
            count += sealed
            if not after:
                return count

    async def _opened(self, found: Stored) -> Token:
        ring = await self._safe.ring()
        if not found.is_due(self._store.now_ms()):
            return found.opened(ring)
        renewed = await self._store.write(connections.renew, (found.row, ring))
        if isinstance(renewed, VendoRefusedError):
            self._wake()
            raise renewed
        if renewed is None:  # it was disconnected meanwhile
            raise ConnectionRevokedError("the connection was revoked")
        return renewed.opened(ring)

    async def _opened_or_none(self, found: Stored) -> Token | None:
        try:
            return await self._opened(found)
        except VendoRefusedError as refusal:
            if refusal.mended_by_connecting:
                return None
            raise


def checked_key(key: Secret) -> Secret:
    """A key as it was pasted, without the space around it; raises InputError, not telling it."""
    text = key.reveal().strip()
    if not text or len(text) > MAX_KEY or not text.isprintable() or not text.isascii():
        raise InputError(f"a key is 1 to {MAX_KEY:,} printable ASCII characters on one line")
    return Secret(text)


def checked_user(user_id: str) -> str:
    """A user's id, or everybody's; raises InputError."""
    return user_id if user_id == EVERYBODY else checked(user_id, "a user's id")


def checked_metadata(metadata: dict[str, Any]) -> str:
    """As JSON; raises InputError."""
    text = jsontext.dump(metadata)
    if len(text) > MAX_METADATA:
        raise InputError(
            f"metadata takes {len(text):,} bytes, and at most {MAX_METADATA:,} are kept"
        )
    return text


def _known() -> str:
    return ", ".join(CATALOGUE)


def _whose(caller: Caller) -> dict[str, Any]:
    return {"app_id": caller.app_id, "tenant": caller.tenant, "user_id": caller.user_id}


# -- operations of the store ----------------------------------------------------------------------


def _connect(
    connection: Database, now: int, params: tuple[dict[str, Any], dict[str, Any]]
) -> Connection:
    app, wanted = params
    app_id = apps.ensure(connection, now, app).id
    return connections.connect(connection, now, Wanted(app_id=app_id, **wanted))


def _shown(
    connection: Database, now: int, params: dict[str, Any]
) -> tuple[Connection, list[str]] | VendoRefusedError:
    found = connections.by_id(connection, now, params)
    if isinstance(found, VendoRefusedError):
        return found
    return found, connections.apps_bound(connection, found.row)


def _lookup(
    connection: Database, now: int, params: tuple[Caller, list[str]]
) -> list[Stored | VendoRefusedError]:
    caller, slugs = params
    return [_stored(connection, now, caller, slug) for slug in slugs]


def _stored(
    connection: Database, now: int, caller: Caller, slug: str
) -> Stored | VendoRefusedError:
    found = usable_by(connection, now, (caller, slug))
    if isinstance(found, VendoRefusedError):
        return found
    return tokens.stored(connection, found.row) or _missing(slug)


def usable_by(
    connection: Database, _now: int, params: tuple[Caller, str]
) -> Connection | VendoRefusedError:
    """The connection that a caller uses for an integration, or why there is none."""
    caller, slug = params
    if caller.connection_id is not None:
        own = connections.by_row(connection, caller.connection_id)
        if own.slug != slug:
            return ForbiddenError("this key is another integration's")
        # an app that may use it no more has no key that does
        found = own if connections.is_bound(connection, caller.app_id, own.row) else None
    else:
        found = connections.of_app_by_slug(connection, {**_whose(caller), "slug": slug})
    if found is None or found.status == "pending_setup":
        return _missing(slug)
    if found.status == REVOKED:
        return ConnectionRevokedError(f"the connection to {slug} was revoked", slug=slug)
    if found.status == NEEDS_REAUTH:
        return connections.needs_reauth(slug)
    if found.status != CONNECTED:
        text = found.error_message or "the connection does not work"
        return UpstreamFailedError(text, slug=slug)
    return found


def _missing(slug: str) -> BindingMissingError:
    known = slug in CATALOGUE
    return BindingMissingError(
        f"this app has no connection to {slug[:100]}",
        slug=slug if known else None,
        suggested_fix=None if known else f"there are {_known()}",
    )
