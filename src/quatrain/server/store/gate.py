"""A gate that work on the database passes, and that a fork shuts.

SQLite's connections must not cross a fork: the child would share their locks without holding them.
So before any fork of this process the work under way is waited for and every connection is closed;
parent and child each open their own when they next need one.
"""

from __future__ import annotations

import threading
from typing import Final

_PATIENCE: Final = 10.0
"""Seconds a fork waits for work under way; a lock held by a stopped process could take for ever."""


class Gate:
    """Lets any number in, until it is shut; shutting waits until all are out."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._open = True

    def __enter__(self) -> None:
        with self._changed:
            while not self._open:
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            if not self._inside:
                self._changed.notify_all()

    def shut(self) -> bool:
        """Let nobody in, and wait until nobody is inside. False: somebody still is."""
        with self._changed:
            self._open = False
            return self._changed.wait_for(lambda: not self._inside, timeout=_PATIENCE)

    def open(self) -> None:
        """Let the waiting in."""
        with self._changed:
            self._open = True
            self._changed.notify_all()
