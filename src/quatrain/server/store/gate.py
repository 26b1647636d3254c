"""A gate that work on the database passes, and that a fork shuts.

SQLite's connections must not cross a fork: the child would share their locks without holding them.
So before any fork of this process the work under way is waited for and every connection is closed;
parent and child each open their own when they next need one.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final, Protocol

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


class Forkable(Protocol):
    """Holds connections, and can let go of them around a fork."""

    def before_fork(self) -> None:
        """Finish what is under way, close every connection, begin nothing."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Begin anew: the threads are gone, the queued work is the parent's."""


_open: Final[weakref.WeakSet[Forkable]] = weakref.WeakSet()
_forking: list[Forkable] = []


def watch(store: Forkable) -> None:
    """Tell *store* of every fork of this process, as long as it lives."""
    _open.add(store)


def _before() -> None:
    _forking.extend(_open)
    for store in _forking:
        store.before_fork()


def _after_in_parent() -> None:
    for store in _forking:
        store.after_fork_in_parent()
    _forking.clear()


def _after_in_child() -> None:
    for store in _forking:
        store.after_fork_in_child()
    _forking.clear()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
