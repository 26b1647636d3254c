"""When a stream that broke off is asked for again: a decision without a clock and without I/O."""

from __future__ import annotations

from typing import Final

FIRST: Final = 1.0
"""Seconds before the first reconnect (contracts, Vendo, "Events (SSE)")."""
JITTER: Final = 0.25
"""Share of a wait that is drawn at random: clients that were cut off together come back apart."""
LONGEST_RETRY_AFTER: Final = 300.0
"""Seconds; a server that asks for more is asked again after these."""
WARN_AFTER: Final = 5
"""Failures in a row, with not a byte of a stream between, that a person should hear of."""


class Reconnects:
    """How long to wait before each reconnect: longer and longer, until an event has arrived.

    An answer alone ends no outage: a server that accepts and hangs up at once is backed off from.
    """

    def __init__(self, longest: float) -> None:
        """Wait *longest* seconds at most, whatever the server's ``retry`` says."""
        self._longest = longest
        self._first = FIRST
        self._waits = 0
        self._failures = 0

    def event_arrived(self) -> None:
        """The stream is good: the next wait is a first one."""
        self._waits = 0

    def bytes_arrived(self) -> None:
        """Something comes, if only a heartbeat: this is no outage to warn of."""
        self._failures = 0

    def asked_to_wait(self, milliseconds: int) -> None:
        """The server's ``retry`` makes first waits longer than they would be, never shorter."""
        self._first = max(FIRST, milliseconds / 1000)

    def failed(self) -> bool:
        """Count a failure; whether this is the one to warn of."""
        self._failures += 1
        return self._failures == WARN_AFTER

    def wait(self, luck: float, retry_after: float | None = None) -> float:
        """Seconds before the next try; *luck* is in [0, 1).

        Never shorter than a ``Retry-After`` up to LONGEST_RETRY_AFTER.
        """
        # 2.0 ** 1100 overflows long after the longest wait has been reached
        wait = min(self._first * 2.0 ** min(self._waits, 62), self._longest)
        self._waits += 1
        spread = wait * JITTER * luck
        # no longer than the longest, and still not all at once
        wait = wait + spread if wait + spread <= self._longest else wait - spread
        return max(wait, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
