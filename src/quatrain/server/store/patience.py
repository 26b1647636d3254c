"""Going on trying, for a while."""

from __future__ import annotations

import time


class Patience:
    """For how long to go on trying."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._pause = 0.02

    def wait(self) -> bool:
        """Wait a little; False when it has been long enough."""
        if time.monotonic() + self._pause > self._until:
            return False
        time.sleep(self._pause)
        self._pause = min(self._pause * 2, 0.5)
        return True
