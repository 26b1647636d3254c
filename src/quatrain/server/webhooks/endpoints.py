"""Where events go: adding, listing and removing an extension's endpoints.

Every function but the checks is an operation of the store: ``(connection, now, params)``, and an
answer. A refusal is returned, not raised: it is an answer like another.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.store import Connection, queries

from .records import EVERY_EVENT, Endpoint, EndpointNotFoundError

Params: TypeAlias = dict[str, Any]

_SQL: Final = queries.load("webhooks")
_RANDOM_BYTES: Final = 32
_MAX_URL: Final = 2_000


def new_signing_secret() -> Secret:
    """A secret for an endpoint: ``whsec_`` and 32 random bytes."""
    return Secret(f"whsec_{secrets.token_urlsafe(_RANDOM_BYTES)}")


def check_url(url: str) -> str:
    """*url*, when events can be sent there; raises InputError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise InputError("a webhook's URL can't be read as one") from None
    if " " in url or not url.isprintable():
        raise InputError("a webhook's URL must not hold blanks; they are written %20")
    if parts.scheme not in {"http", "https"} or not host:
        raise InputError("a webhook's URL begins with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise InputError("a webhook's URL must not hold credentials; the signature is one")
    if parts.fragment:
        raise InputError("a webhook's URL must not hold a fragment, which is never sent")
    if len(url) > _MAX_URL:
        raise InputError(f"a webhook's URL has at most {_MAX_URL:,} characters")
    return url


def check_events(events: Iterable[str]) -> frozenset[str]:
    """The names of events, or ``"*"`` for every one; raises InputError."""
    chosen = frozenset([events] if isinstance(events, str) else events)
    if not chosen:
        raise InputError("an endpoint is added for at least one event")
    for name in sorted(chosen):
        if not name or not name.isascii() or not name.isprintable() or " " in name:
            raise InputError(f"{name[:50]!r} is not the name of an event")
    return frozenset([EVERY_EVENT]) if EVERY_EVENT in chosen else chosen


def add_endpoint(connection: Connection, now: int, params: Params) -> Endpoint:
    """A new endpoint of an extension. *params*: extension_id, url, events, secret (a Secret).

    With *replace* the extension's endpoint of that URL is taken over, if there is one: what waits
    for it is signed with the new secret. Raises InputError for a URL or events that can't be taken.
    """
    secret: Secret = params["secret"]
    values = {
        "extension_id": params["extension_id"],
        "url": check_url(params["url"]),
        "events": " ".join(sorted(check_events(params["events"]))),
        "secret": secret.reveal(),
        "now": now,
    }
    row = None
    if params.get("replace"):
        row = connection.execute(_SQL["replace_endpoint"], values).fetchone()
    return endpoint_of(row or connection.execute(_SQL["add_endpoint"], values).fetchone())


def list_endpoints(connection: Connection, _now: int, params: Params) -> list[Endpoint]:
    """An account's endpoints, removed ones too, oldest first. *params*: account_id."""
    return [endpoint_of(row) for row in connection.execute(_SQL["endpoints_of_account"], params)]


def remove_endpoint(
    connection: Connection, now: int, params: Params
) -> Endpoint | EndpointNotFoundError:
    """Send nothing there any more; what waits is cancelled. *params*: account_id, endpoint_id.

    An attempt under way is not stopped, but is the last. Removing twice is fine.
    """
    row = connection.execute(_SQL["remove_endpoint"], {**params, "now": now}).fetchone()
    if row is None:
        return EndpointNotFoundError("there is no such endpoint")
    connection.execute(_SQL["cancel_deliveries"], {"endpoint_id": params["endpoint_id"]})
    return endpoint_of(row)


def endpoint_of(row: tuple[Any, ...]) -> Endpoint:
    """A row of the table as a record."""
    row_id, extension_id, url, events, secret, created_at, removed_at = row
    names = frozenset(events.split())
    return Endpoint(row_id, extension_id, url, names, Secret(secret), created_at, removed_at)
