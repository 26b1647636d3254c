"""When to try again, and how long to wait: decisions without a clock and without I/O."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC
from typing import Literal

import attrs

Outcome = Literal["not_sent", "no_answer", "in_progress"] | int
"""What came of an attempt: never sent, sent but unanswered, turned away because an earlier attempt
at the same is still under way, or the answer's HTTP status."""

PASSING = frozenset({408, 429, *range(500, 600)})
"""Statuses that may be gone a moment later."""


@attrs.frozen
class RetryPolicy:
    """How often a request is tried again, and after how long."""

    max_retries: int = 2
    """Tries after the first."""
    base: float = 0.3
    """Seconds before the first retry."""
    factor: float = 2.0
    """By which each further wait is longer."""
    cap: float = 10.0
    """Seconds; no longer back-off than this."""
    jitter: float = 0.25
    """Share of the back-off drawn at random and added."""
    full_jitter: bool = False
    """Draw the whole wait instead, between nothing and the back-off: clients that failed together
    come back spread over all of it."""
    longest_retry_after: float = 60.0
    """Seconds; a server that asks for more is not waited for: its error is raised at once."""
    passing: Collection[int] = PASSING
    """Statuses after which it is tried again."""

    def backoff(self, attempt: int, luck: float) -> float:
        """Seconds before the retry that follows *attempt* (from 1); *luck* is in [0, 1)."""
        # 2.0 ** 1100 overflows long after the cap has been reached
        delay = min(self.cap, self.base * self.factor ** min(attempt - 1, 62))
        return delay * luck if self.full_jitter else delay * (1.0 + self.jitter * luck)


def delay_before_retry(
    policy: RetryPolicy,
    attempt: int,
    outcome: Outcome,
    *,
    repeatable: bool,
    retry_after: float | None,
    luck: float,
) -> float | None:
    """Seconds to wait before trying again, or None to give up.

    A *repeatable* request (a read, or a write the server knows by its idempotency key or fence
    token) is tried again after any passing fault. Any other only when it surely was not
    executed: it was never sent, or was turned away with 429.
    """
    if attempt > policy.max_retries:
        return None
    if isinstance(outcome, int):
        if outcome not in policy.passing:
            return None
        if not repeatable and outcome != 429:
            return None
    elif outcome == "no_answer" and not repeatable:
        return None
    if retry_after is not None and retry_after > policy.longest_retry_after:
        return None
    return max(policy.backoff(attempt, luck), retry_after or 0.0)


def parse_retry_after(value: str | None, wall_now: float) -> float | None:
    """``Retry-After`` in seconds, from its number or its HTTP date; None when it is neither.

    *wall_now* is the Unix time the date is compared with.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow, and seldom wanted

        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        # "-0000" gives no zone; HTTP dates are UTC, whatever this machine's zone is
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - wall_now
    return max(0.0, seconds) if math.isfinite(seconds) else None
