"""What the outbox holds, and what it refuses. Source: contracts, Velocity OS, "Webhooks".

Times are in milliseconds since 1970; payloads are the JSON texts that are sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from quatrain._secret import Secret
from quatrain.server.problems import RefusedError

EVERY_EVENT: Final = "*"
"""Stands for all events, those to come included."""


class DeliveryStatus(StrEnum):
    """Where a delivery is. Only PENDING ones are sent."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    """Given up after the last try."""
    CANCELLED = "CANCELLED"
    """Its endpoint was removed first."""


@attrs.frozen
class Endpoint:
    """Where an extension's events go."""

    id: int
    extension_id: int
    url: str
    events: frozenset[str]
    """Their names, or EVERY_EVENT alone."""
    secret: Secret
    """Signs what is sent."""
    created_at: int
    removed_at: int | None


@attrs.frozen
class Delivery:
    """One event on its way to one endpoint."""

    id: int
    """The row's; lists are ordered by it."""
    delivery_id: str
    """What the receiver sees: the same however often it is sent."""
    endpoint_id: int
    event_type: str
    payload: str
    status: DeliveryStatus
    attempts: int
    """Attempts begun, those of a process that died in one included."""
    tries_left: int
    """How many may still fail before it is given up; a resend fills them up again."""
    next_attempt_at: int | None
    """Set while PENDING. During an attempt: when it would be taken for lost."""
    claimed_until: int | None
    """Set during an attempt."""
    created_at: int
    delivered_at: int | None
    last_status: int | None
    """HTTP status of the last attempt; None when there was no answer, or no attempt yet."""
    last_error: str | None
    """One line on why the last attempt failed."""


@attrs.frozen(kw_only=True)
class DeliveriesPage:
    """A page, newest first; *next* is where the one after it begins, None on the last."""

    items: list[Delivery]
    next: int | None


@attrs.frozen
class Claim:
    """A delivery that its claimer, and nobody else, sends and settles until *claimed_until*."""

    id: int
    delivery_id: str
    endpoint_id: int
    url: str
    secret: Secret
    event_type: str
    payload: str
    attempt: int
    """The number of this attempt, from 1; it guards the settling as a fence token does."""
    claimed_until: int


@attrs.frozen
class Outcome:
    """What came of one attempt: an answer's status, or the reason why there was none."""

    status: int | None
    error: str | None = None
    """One line for a person; None after a success."""
    retry_after: float | None = None
    """Seconds the receiver asked for."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


# -- refusals -------------------------------------------------------------------------------------


class EndpointNotFoundError(RefusedError):
    """The account has no such endpoint."""

    code = "endpoint_not_found"


class DeliveryNotFoundError(RefusedError):
    """The account has no such delivery."""

    code = "delivery_not_found"


class EndpointRemovedError(RefusedError):
    """The endpoint was removed: nothing is sent there any more."""

    code = "endpoint_removed"
