"""What time it is, and how to sleep."""

from __future__ import annotations

import anyio

from .._core import steady_now


class Clock:
    """Time, in one place: tests pass their own and never sleep."""

    def now(self) -> float:
        """Seconds on a steady clock."""
        return steady_now()

    async def sleep(self, seconds: float) -> None:
        """Wait; returns at once for zero and less."""
        if seconds > 0:
            await anyio.sleep(seconds)


SYSTEM_CLOCK = Clock()
