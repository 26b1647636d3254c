"""An audit trail, told as attempts: who began when, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from quatrain.server.ledger import Effect, Event, EventType, Status
from quatrain.server.times import ms_of

from .stuck import error_line, said_in
from .words import brief

_ENDS: Final = {
    EventType.COMMITTED: "committed",
    EventType.FAILED: "failed",
    EventType.LEASE_EXPIRED: "ran out",
    EventType.LEASE_RELEASED: "released",
    EventType.RESOLVED_DONE: "resolved as done",
    EventType.RESOLVED_NOT_DONE: "resolved as not done",
}


@attrs.define
class Attempt:
    """One grant of the lease. Times are milliseconds since 1970."""

    fence_token: int
    agent_id: str | None
    run_id: str | None
    began: int
    ended: int | None = None
    outcome: str = "holds the lease"
    renewals: int = 0
    observed: str | None = None
    error: str = ""
    """In short, of one that failed; an old trail, written before they told it, has it of the last
    attempt alone."""

    @property
    def took(self) -> int | None:
        """Milliseconds from the grant to the end."""
        return None if self.ended is None else self.ended - self.began


def attempts(effect: Effect, events: Sequence[Event]) -> list[Attempt]:
    """Newest first, of an effect and its trail, oldest first."""
    found: list[Attempt] = []
    for event in events:
        if event.type is EventType.LEASE_GRANTED:
            granted = Attempt(event.fence_token, event.agent_id, event.run_id, event.at)
            found.append(granted)
        elif found:
            _tell(found[-1], event)
    if found:
        last = found[-1]
        if effect.status is Status.EXPIRED and last.ended is None:
            last.ended, last.outcome = effect.lease_expires_at, "ran out"
        if last.outcome == "failed" and not last.error:
            last.error = error_line(effect.error)
    return found[::-1]


def _tell(attempt: Attempt, event: Event) -> None:
    """Add what a line says to the attempt that it is about."""
    if event.type is EventType.LEASE_RENEWED:
        attempt.renewals += 1
    elif event.type in {EventType.OBSERVE_HIT, EventType.OBSERVE_MISS}:
        attempt.observed = "found" if event.type is EventType.OBSERVE_HIT else "not found"
    elif event.type in _ENDS and (attempt.ended is None or _final(event)):
        # an expiry is written down when somebody comes upon it, and says when it was
        ran_out = said_in(event, "leaseExpiredAt")
        attempt.ended = ms_of(ran_out) if ran_out else event.at
        attempt.outcome = _ENDS[event.type]
        if event.type is EventType.FAILED:
            attempt.error = brief(said_in(event, "error"), 200)


def _final(event: Event) -> bool:
    """Whether it says more of an attempt than that its lease ended."""
    return event.type in {EventType.RESOLVED_DONE, EventType.RESOLVED_NOT_DONE}
