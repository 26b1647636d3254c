"""Visits: a person was sent to the connect page by an app, and decides there once.

A visit belongs to the browser that began it, which keeps a token nobody can guess; of that, and of
the app's state, the database has hashes only. An app's state is good for one visit, for ever.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Final, Literal, TypeAlias

import attrs

from quatrain.server.problems import RefusedError
from quatrain.server.store import Connection, queries

LASTS_MS: Final = 15 * 60 * 1_000
"""How long a person has to decide."""

Outcome: TypeAlias = Literal["connected", "denied"]

_SQL: Final = queries.load("vendo_grants")


@attrs.frozen
class Visit:
    """What is known of a visit. The state and the token are not."""

    id: int
    app_id: int
    tenant: str
    user_id: str
    app_name: str
    slug: str
    state: bytes
    """Its hash."""
    return_to: str
    expires_at: int
    """Milliseconds since 1970."""
    outcome: Outcome | None
    """None until it was decided."""
    connected: bool = attrs.field(converter=bool)
    """Whether there is such a connection already, which this one would replace."""


class VisitRefusedError(RefusedError):
    """A visit that can't begin, or can't go on; its text is for the person."""

    title: ClassVar[str]
    """The page's heading."""
    status: ClassVar[int] = 409


class StateUsedError(VisitRefusedError):
    """The app's state was good for one visit, which is over."""

    code = "state_used"
    title = "This link has been used"

    def __init__(self) -> None:
        super().__init__("A link to connect is good for once. Go back to the app for another one.")


class StateTakenError(VisitRefusedError):
    """The app's state is another browser's, or was meant for something else."""

    code = "state_taken"
    title = "This link is in use"

    def __init__(self) -> None:
        super().__init__(
            "It was opened in another browser, or for something else. Go back to the app for"
            " another one."
        )


class VisitOverError(VisitRefusedError):
    """Time is up, or the visit is none of this browser's."""

    code = "visit_over"
    title = "This page is no longer valid"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "It can be used for 15 minutes, in the browser that opened it. Nothing was changed. Go"
            " back to the app and start again."
        )


def state_digest(state: str) -> bytes:
    """What is kept of an app's state."""
    return hashlib.sha256(state.encode("ascii")).digest()


def begin(connection: Connection, now: int, params: dict[str, Any]) -> bytes | VisitRefusedError:
    """Begin a visit, or go on with it: an operation of the store, which answers its digest.

    *params*: ``app_id``, ``user_id``, ``slug``, ``state`` (hashed), ``return_to``, ``digest`` of a
    new token, and ``known``, the digests of the tokens that the browser has. A browser that
    follows the same link again is on the same visit.
    """
    row = {**params, "now": now, "expires_at": now + LASTS_MS}
    del row["known"]
    if connection.execute(_SQL["add_grant"], row).fetchone() is not None:
        return bytes(row["digest"])
    taken = connection.execute(_SQL["grant_of_state"], row).fetchone()
    digest, slug, return_to, expires_at, completed_at = taken
    if completed_at is not None:
        return StateUsedError()
    if digest not in params["known"] or (slug, return_to) != (row["slug"], row["return_to"]):
        return StateTakenError()
    return bytes(digest) if now < expires_at else VisitOverError()


def find(connection: Connection, now: int, digest: bytes) -> Visit | None:
    """The visit that a token opens: a read of the store. None when it is over without a decision.

    A decided one is found as long, and tells again what was decided.
    """
    row = connection.execute(_SQL["grant"], {"digest": digest}).fetchone()
    if row is None:
        return None
    visit = Visit(*row)
    return visit if now < visit.expires_at else None


def decide(
    connection: Connection, now: int, digest: bytes, outcome: Outcome
) -> tuple[Visit, bool] | VisitOverError:
    """Decide, inside a transaction; answers the visit, and whether this was the decision.

    Of two submits the second one changes nothing and is told what the first one decided.
    """
    row = {"digest": digest, "now": now, "outcome": outcome}
    first = connection.execute(_SQL["complete_grant"], row).fetchone() is not None
    visit = find(connection, now, digest)
    return VisitOverError() if visit is None else (visit, first)
