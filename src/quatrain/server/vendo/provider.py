"""The provider behind a connection that is granted and not pasted: simulated, and in the database.

It gives an access token for an hour and a refresh token for good, and refuses to refresh once the
grant has been revoked on its side. What it gives opens nothing anywhere, and says so.
"""

from __future__ import annotations

import secrets
from typing import Final

import attrs

from quatrain._secret import Secret
from quatrain.server.recognizer import digest_of
from quatrain.server.store import Connection, queries

LIFETIME_MS: Final = 60 * 60 * 1_000
TOKEN_TYPE: Final = "Bearer"  # noqa: S105  a word of OAuth's

_SQL: Final = queries.load("vendo_connections")


@attrs.frozen
class Granted:
    """What came of a person's approval."""

    access: Secret
    refresh: Secret
    expires_at: int


def grant(connection: Connection, now: int, row: int, slug: str) -> Granted:
    """A person has approved: a new grant for the connection with this row id."""
    refresh = _made_up(slug, "refresh")
    digest = digest_of(refresh.reveal().encode())
    connection.execute(_SQL["add_grant"], {"id": row, "digest": digest, "now": now})
    return Granted(_made_up(slug, "access"), refresh, now + LIFETIME_MS)


def refreshed(
    connection: Connection, now: int, slug: str, refresh: Secret
) -> tuple[Secret, int] | None:
    """A new access token and its expiry; None when the grant does not stand any more."""
    digest = digest_of(refresh.reveal().encode())
    if connection.execute(_SQL["grant_stands"], {"digest": digest}).fetchone() is None:
        return None
    return _made_up(slug, "access"), now + LIFETIME_MS


def revoke(connection: Connection, now: int, row: int) -> bool:
    """The person takes it back on the provider's side; whether there was something to take."""
    revoked = connection.execute(_SQL["revoke_grants"], {"id": row, "now": now}).fetchall()
    return bool(revoked)


def _made_up(slug: str, kind: str) -> Secret:
    return Secret(f"simulated-{slug}-{kind}-{secrets.token_urlsafe(24)}")
