"""What holds connections, locks or threads is told of a fork of its process."""

from __future__ import annotations

import os
import threading
import weakref
from abc import abstractmethod
from typing import Final, Protocol


class Forkable(Protocol):
    """Holds what a child must not share with its parent."""

    @abstractmethod
    def before_fork(self) -> None:
        """Finish what is under way, let go of connections, begin nothing."""

    @abstractmethod
    def after_fork_in_parent(self) -> None:
        """Go on."""

    @abstractmethod
    def after_fork_in_child(self) -> None:
        """Go on without the other threads; whatever the parent has begun is the parent's."""


_watched: Final[weakref.WeakValueDictionary[int, Forkable]] = weakref.WeakValueDictionary()
_forking: Final[list[Forkable]] = []
_one_fork: Final = threading.Lock()
"""Held while a fork is under way: other threads' forks wait."""


def watch(store: Forkable) -> None:
    """Tell *store* of every fork of this process, as long as it lives."""
    _watched[id(store)] = store  # under no lock: who watches may hold what before_fork waits for


def _before() -> None:
    _one_fork.acquire()
    living = (reference() for reference in _watched.valuerefs())
    _forking.extend(store for store in living if store is not None)
    for store in _forking:
        store.before_fork()


def _after_in_parent() -> None:
    try:
        for store in _forking:
            store.after_fork_in_parent()
    finally:
        _forking.clear()
        _one_fork.release()


def _after_in_child() -> None:
    try:
        for store in _forking:
            store.after_fork_in_child()
    finally:
        _forking.clear()
        _one_fork.release()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
