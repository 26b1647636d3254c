"""Connections' tokens in the database: sealed, opened, renewed. Operations of the store.

A token that expires within five minutes is renewed when it is asked for. One that a provider has
refused is handed out again, should a client ask: only its expiry makes it be renewed, as the
contract has no way to say that it was refused.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain._secret import Secret
from quatrain.server.store import Connection, queries

from . import provider
from .sealing import Ring

RENEWED_MS: Final = 5 * 60 * 1_000
"""So long before its expiry."""
_AT_ONCE: Final = 100

_SQL: Final = queries.load("vendo_connections")


@attrs.frozen
class Token:
    """What opens a connection."""

    access: Secret
    token_type: str
    expires_at: int | None
    """Milliseconds since 1970; None when it does not expire."""


@attrs.frozen
class Stored:
    """A token as it lies in the database."""

    row: int
    """The connection's."""
    access: bytes
    refresh: bytes | None
    token_type: str
    expires_at: int | None

    def is_due(self, now: int) -> bool:
        """Whether it is to be renewed."""
        return (
            self.refresh is not None
            and self.expires_at is not None
            and self.expires_at - now <= RENEWED_MS
        )

    def opened(self, ring: Ring) -> Token:
        """As its user gets it. Raises UnavailableError."""
        access = ring.open(self.access, place=_place(self.row, "access"))
        return Token(access, self.token_type, self.expires_at)


def stored(connection: Connection, row: int) -> Stored | None:
    """Of the connection with this row id."""
    found = connection.execute(_SQL["token"], {"id": row}).fetchone()
    return None if found is None else Stored(row, *found)


def put(
    connection: Connection,
    now: int,
    row: int,
    ring: Ring,
    *,
    access: Secret,
    refresh: Secret | None = None,
    expires_at: int | None = None,
) -> None:
    """Seal a connection's token, in the place of the one that it had."""
    params = {
        "id": row,
        "access": ring.seal(access, place=_place(row, "access")),
        "refresh": None if refresh is None else ring.seal(refresh, place=_place(row, "refresh")),
        "token_type": provider.TOKEN_TYPE,
        "expires_at": expires_at,
        "now": now,
    }
    connection.execute(_SQL["put_token"], params)


def renew(connection: Connection, now: int, slug: str, had: Stored, ring: Ring) -> Stored | None:
    """Have the provider give another; None when it refuses. *had* must be due.

    Of several that try at once, the first renews and the others get what it got. Raises
    UnavailableError.
    """
    assert had.refresh is not None  # noqa: S101  it is due
    refresh = ring.open(had.refresh, place=_place(had.row, "refresh"))
    made = provider.refreshed(connection, now, slug, refresh)
    if made is None:
        return None
    access, expires_at = made
    params: dict[str, Any] = {
        "id": had.row,
        "access": ring.seal(access, place=_place(had.row, "access")),
        "expires_at": expires_at,
        "was": had.expires_at,
        "now": now,
    }
    connection.execute(_SQL["renew_token"], params).fetchall()
    return stored(connection, had.row)


def drop(connection: Connection, row: int) -> None:
    """Forget a connection's token."""
    connection.execute(_SQL["drop_token"], {"id": row})


def reseal(connection: Connection, _now: int, params: tuple[Ring, int]) -> tuple[int, int]:
    """Seal some tokens anew with the ring's first key: those after a row.

    Answers the last row that was looked at, 0 for none, and how many were sealed. Raises
    UnavailableError.
    """
    ring, after = params
    wanted = {"after": after, "limit": _AT_ONCE}
    last = sealed = 0
    for row, access, refresh in connection.execute(_SQL["tokens_after"], wanted).fetchall():
        last = row
        if ring.is_newest(access) and (refresh is None or ring.is_newest(refresh)):
            continue
        again: dict[str, Any] = {"id": row}
        for column, value in (("access", access), ("refresh", refresh)):
            place = _place(row, column)
            again[column] = (
                None if value is None else ring.seal(ring.open(value, place=place), place=place)
            )
        connection.execute(_SQL["reseal_token"], again)
        sealed += 1
    return last, sealed


def _place(row: int, column: str) -> str:
    return f"vendo_tokens/{row}/{column}"
