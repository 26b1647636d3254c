"""When a delivery is tried again: a decision without a clock and without I/O."""

from __future__ import annotations

from typing import Final

DELAYS: Final = (1, 5, 30, 120, 600, 3_600, 21_600, 86_400)
"""Seconds after the first failed try, the second and so on: a day and a half in all."""
TRIES: Final = len(DELAYS) + 1
LONGEST_RETRY_AFTER: Final = 86_400
"""Seconds; who asks for more is tried again after that."""

_JITTER: Final = 0.1
"""Share of the delay by which it is drawn out or shortened: what failed together comes back
spread out."""


def seconds_until_next_try(
    failed: int, *, luck: float, retry_after: float | None = None
) -> float | None:
    """Seconds to wait after so many failed tries (from 1), or None to give up.

    *luck* is in [0, 1). The receiver's *retry_after*, in seconds, is never undercut.
    """
    if failed >= TRIES:
        return None
    delay = DELAYS[failed - 1] * (1 + _JITTER * (2 * luck - 1))
    return max(delay, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
