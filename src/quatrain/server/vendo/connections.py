"""Connections: made, bound to apps, changed and ended, each with the event that tells of it.

Operations of the store: a change and its event are on the disk together, or not at all. They answer
a refusal rather than raise it, where something has to be kept all the same.

* ``connection.connected`` - new, or in use again after it was not, or an app may now use it;
* ``connection.changed`` - another token, another profile, other metadata;
* ``connection.status_changed`` - it came to need something, or needs it no more;
* ``connection.disconnected`` - it is over, or an app may use it no more.

Source: contracts, Vendo, "Events (SSE)".
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import attrs

from quatrain._catalogue import CATALOGUE
from quatrain._secret import Secret
from quatrain.server.store import Connection as Database
from quatrain.server.store import queries

from . import events, provider, tokens
from .records import (
    EVERYBODY,
    NeedsReauthError,
    NotThereError,
    RevokedForGoodError,
    VendoRefusedError,
)
from .sealing import Ring

STATIC: Final = "byok_static"
OAUTH: Final = "user_oauth"
CONNECTED: Final = "connected"
NEEDS_REAUTH: Final = "needs_reauth"
REVOKED: Final = "revoked"

_SQL: Final = queries.load("vendo_connections")

Params = dict[str, Any]


@attrs.frozen
class Connection:
    """An integration that is, or was, connected."""

    row: int
    connection_id: str
    """``con_…``"""
    user_id: str
    """Whose it is; empty for everybody's."""
    slug: str
    external_id: str | None
    display_name: str
    profile: str
    status: str
    metadata: str
    """A JSON object."""
    error_message: str | None
    connected_at: int | None
    """Milliseconds since 1970, like the other times."""
    created_at: int
    updated_at: int


@attrs.frozen(kw_only=True)
class Wanted:
    """What is to be connected, for whom, and with what."""

    tenant: str
    app_id: int
    slug: str
    """One of the catalogue's."""
    ring: Ring
    key: Secret | None = None
    """What a person pasted; None for a grant of the simulated provider."""
    user_id: str = EVERYBODY
    external_id: str | None = None
    metadata: str | None = None
    """A JSON object; None leaves what there is."""


def connect(connection: Database, now: int, wanted: Wanted) -> Connection:
    """Connect, or connect again, and let the app use it.

    The tenant has one connection to an integration for each user, and one for everybody: one that
    is there gets the new token, and every app that is bound to it uses that from now on.
    """
    row: Params = {
        "tenant": wanted.tenant,
        "user_id": wanted.user_id,
        "slug": wanted.slug,
        "external_id": wanted.external_id,
        "metadata": wanted.metadata,
        "profile": STATIC if wanted.key is not None else OAUTH,
        "app_id": wanted.app_id,
        "now": now,
    }
    before = _one(connection, "in_use", row)
    if before is None:
        row["connection_id"] = f"con_{secrets.token_hex(12)}"
        row["display_name"] = CATALOGUE[wanted.slug].name
        (row["id"],) = connection.execute(_SQL["add_connection"], row).fetchone()
    else:
        row["id"] = before.row
        connection.execute(_SQL["connect_again"], row)
        provider.revoke(connection, now, before.row)  # the grant that the new one replaces
        kind = "connection.changed" if before.status == CONNECTED else "connection.connected"
        _tell(connection, now, before, kind)
    number: int = row["id"]
    if wanted.key is not None:
        tokens.put(connection, now, number, wanted.ring, access=wanted.key)
    else:
        made = provider.grant(connection, now, number, wanted.slug)
        tokens.put(connection, now, number, wanted.ring, **attrs.asdict(made, recurse=False))
    after = by_row(connection, number)
    if connection.execute(_SQL["bind"], row).fetchone() is not None:
        _tell_app(connection, now, after, wanted.app_id, "connection.connected")
    return after


def disconnect(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """End it: its token is deleted, and the provider's grant. *params*: tenant, connection_id.

    A second time changes nothing, and is told to nobody.
    """
    before = by_id(connection, now, params)
    if isinstance(before, VendoRefusedError) or before.status == REVOKED:
        return before
    provider.revoke(connection, now, before.row)
    tokens.drop(connection, before.row)
    _set_status(connection, now, before, REVOKED, None)
    _tell(connection, now, before, "connection.disconnected")
    return by_row(connection, before.row)


def set_status(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """Say how it stands. *params*: tenant, connection_id, status, error_message."""
    before = _in_use(connection, now, params)
    if isinstance(before, VendoRefusedError):
        return before
    return change_status(connection, now, before, params["status"], params["error_message"])


def change_status(
    connection: Database,
    now: int,
    before: Connection,
    status: str,
    error_message: str | None,
) -> Connection:
    """The same, of one that is in use; what stays as it was is told to nobody."""
    if (before.status, before.error_message) == (status, error_message):
        return before
    _set_status(connection, now, before, status, error_message)
    if before.status == status:
        _tell(connection, now, before, "connection.changed")
    else:
        _tell(connection, now, before, "connection.status_changed", status=status)
    return by_row(connection, before.row)


def set_metadata(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """Keep other metadata. *params*: tenant, connection_id, metadata (JSON)."""
    before = _in_use(connection, now, params)
    if isinstance(before, VendoRefusedError) or before.metadata == params["metadata"]:
        return before
    connection.execute(_SQL["set_metadata"], {**params, "id": before.row, "now": now})
    _tell(connection, now, before, "connection.changed")
    return by_row(connection, before.row)


def bind(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """Let an app use it. *params*: tenant, connection_id, app_id."""
    found = _in_use(connection, now, params)
    if isinstance(found, Connection):
        row = {**params, "id": found.row, "now": now}
        if connection.execute(_SQL["bind"], row).fetchone() is not None:
            _tell_app(connection, now, found, params["app_id"], "connection.connected")
    return found


def unbind(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """Let an app use it no more. *params*: tenant, connection_id, app_id."""
    found = _in_use(connection, now, params)
    if isinstance(found, Connection):
        row = {**params, "id": found.row}
        if connection.execute(_SQL["unbind"], row).fetchone() is not None:
            _tell_app(connection, now, found, params["app_id"], "connection.disconnected")
    return found


def expire_token(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """Let a granted token be over, so that it is renewed when it is next asked for.

    *params*: tenant, connection_id.
    """
    found = _in_use(connection, now, params)
    if isinstance(found, Connection):
        row = {"id": found.row, "now": now}
        if connection.execute(_SQL["expire_token"], row).fetchone() is None:
            return NotThereError(f"{found.connection_id} has no token that expires")
    return found


def revoke_grant(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    """Have the person take the grant back at the simulated provider, which tells nobody.

    It is found out when the token is next renewed. *params*: tenant, connection_id.
    """
    found = _in_use(connection, now, params)
    if isinstance(found, Connection) and not provider.revoke(connection, now, found.row):
        return NotThereError(f"{found.connection_id} has no grant that stands")
    return found


def renew(
    connection: Database, now: int, params: tuple[int, Ring]
) -> tokens.Stored | VendoRefusedError | None:
    """The token of a connection's row, renewed if it is due; None when there is none.

    Of several that ask at once, here and in other processes, one renews it. If the provider
    refuses, the connection needs a person. Raises UnavailableError.
    """
    row, ring = params
    found = tokens.stored(connection, row)
    if found is None or not found.is_due(now):
        return found
    of = by_row(connection, row)
    renewed = tokens.renew(connection, now, of.slug, found, ring)
    if renewed is None:
        text = "the provider refuses to renew its token"
        change_status(connection, now, of, NEEDS_REAUTH, text)
        return needs_reauth(of.slug)
    return renewed


# -- queries --------------------------------------------------------------------------------------


def by_row(connection: Database, row: int) -> Connection:
    """The connection with a row id that is known."""
    found = _one(connection, "by_row", {"id": row})
    assert found is not None  # noqa: S101  rows are not deleted
    return found


def by_id(connection: Database, _now: int, params: Params) -> Connection | VendoRefusedError:
    """*params*: tenant, connection_id."""
    found = _one(connection, "by_id", params)
    if found is None:
        return NotThereError(f"there is no connection {params['connection_id'][:50]!r}")
    return found


def of_app(connection: Database, _now: int, params: Params) -> list[Connection]:
    """What the app may use for the user, the best of each slug first.

    That is one that was not revoked before one that was, and the user's own before everybody's.
    *params*: app_id, tenant, user_id.
    """
    return [Connection(*row) for row in connection.execute(_SQL["of_app"], params)]


def of_app_by_slug(connection: Database, params: Params) -> Connection | None:
    """The best one to one integration. *params*: app_id, tenant, user_id, slug."""
    return _one(connection, "of_app_by_slug", params)


def of_tenant(
    connection: Database, _now: int, params: Params
) -> list[tuple[Connection, list[str]]]:
    """Each with the slugs of the apps that use it. *params*: tenant, revoked (0, 1), limit, offset.

    Oldest first.
    """
    found = [Connection(*row) for row in connection.execute(_SQL["of_tenant"], params).fetchall()]
    return [(each, apps_bound(connection, each.row)) for each in found]


def apps_bound(connection: Database, row: int) -> list[str]:
    """The slugs of the apps that may use the connection with this row id."""
    return [slug for (slug,) in connection.execute(_SQL["apps_bound"], {"id": row})]


def is_bound(connection: Database, app_id: int, row: int) -> bool:
    """Whether the app may use the connection with this row id."""
    params = {"app_id": app_id, "id": row}
    return connection.execute(_SQL["binding"], params).fetchone() is not None


def needs_reauth(slug: str) -> NeedsReauthError:
    """How it is told that a person has to do something."""
    return NeedsReauthError(
        f"the connection to {slug} has to be granted again",
        slug=slug,
        suggested_fix="send a person to the connect page",
    )


def _one(connection: Database, name: str, params: Params) -> Connection | None:
    row = connection.execute(_SQL[name], params).fetchone()
    return None if row is None else Connection(*row)


def _in_use(connection: Database, now: int, params: Params) -> Connection | VendoRefusedError:
    found = by_id(connection, now, params)
    if isinstance(found, Connection) and found.status == REVOKED:
        return RevokedForGoodError(
            f"{found.connection_id} was disconnected: connect {found.slug} anew", slug=found.slug
        )
    return found


def _set_status(
    connection: Database,
    now: int,
    of: Connection,
    status: str,
    error_message: str | None,
) -> None:
    row = {"id": of.row, "status": status, "error_message": error_message, "now": now}
    connection.execute(_SQL["set_status"], row)


def _tell(connection: Database, now: int, of: Connection, kind: str, **fields: Any) -> None:
    told = {"slug": of.slug, "connection_id": of.connection_id, **fields}
    events.emit_to_bound(connection, now, of.row, kind, user_id=of.user_id, **told)


def _tell_app(connection: Database, now: int, of: Connection, app_id: int, kind: str) -> None:
    told = {"slug": of.slug, "connection_id": of.connection_id}
    events.emit(connection, now, app_id, kind, user_id=of.user_id, **told)
