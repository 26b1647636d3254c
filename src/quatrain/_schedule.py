"""When a lease is renewed: decisions over durations; the clock's readings are passed in.

All times are seconds on one steady clock that also counts suspended time. The server's wall
clock never enters: a lease is counted from *before* its request was sent, so this side always
believes it shorter than the server does.
"""

from __future__ import annotations

from typing import Final

import attrs

DEFAULT_LEASE: Final = 30.0
"""Seconds a lease lasts when the request names no duration (contracts, Verity, "Endpoints")."""
SOONEST: Final = 3.0
"""Seconds: a healthy lease is never renewed sooner (contracts, Verity, "Client")."""


def _clamp_fraction(value: float) -> float:
    return min(0.9, max(0.3, value))


@attrs.frozen
class RenewalSchedule:
    """The times of one lease's renewals."""

    duration: float
    """Seconds a grant or a renewal lasts."""
    fraction: float = attrs.field(default=0.65, converter=_clamp_fraction)
    """Share of the duration after which it is renewed, within 0.3 to 0.9."""

    @property
    def interval(self) -> float:
        """Seconds from one confirmed grant or renewal to the next renewal."""
        return max(SOONEST, self.duration * self.fraction)

    def after_success(self, sent: float, now: float) -> float:
        """Seconds to wait after a renewal sent at *sent* was confirmed at *now*."""
        return max(0.0, sent + self.interval - now)

    def after_failure(self, now: float, deadline: float) -> float:
        """Seconds to wait after a failed renewal: soon, sooner the less time is left."""
        left = deadline - now
        return min(max(left, 0.0), max(0.05, min(1.0, left / 4)))

    def request_timeout(self, now: float, deadline: float, usual: float) -> float:
        """Seconds a renewal's request may take: it has to end while the lease is still held.

        Half of what is left, so that a renewal that hangs leaves time for another.
        """
        left = deadline - now
        return min(usual, max(0.05, left / 2))
