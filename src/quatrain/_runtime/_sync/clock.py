"""What time it is, and how to sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .._core import steady_now
from .._timer import call_later

here = threading.local()
"""``.sleep(seconds)``, in the threads of ``Ahead``: it ends with a call that is called off."""


class Clock:
    """Time, in one place: tests pass their own and never sleep."""

    def now(self) -> float:
        """Seconds on a steady clock."""
        return steady_now()

    def sleep(self, seconds: float) -> None:
        """Wait; returns at once for zero and less."""
        if seconds > 0:
            sleep: Callable[[float], None] = getattr(here, "sleep", time.sleep)
            sleep(seconds)

    def wait_for(self, event: threading.Event, seconds: float) -> bool:
        """Wait until *event* is set; False when it is not in time."""
        return event.wait(max(0.0, seconds))

    def call_later(self, seconds: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Have a shared thread call *fn*, which must not block; the answer calls it off."""
        return call_later(seconds, fn)


SYSTEM_CLOCK = Clock()
