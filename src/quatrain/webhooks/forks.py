"""Stores of deliveries are told of a fork of their process."""

from __future__ import annotations

import os
import weakref
from abc import abstractmethod
from typing import Final, Protocol


class Forkable(Protocol):
    """Holds what a child must not share with its parent."""

    @abstractmethod
    def before_fork(self) -> None:
        """Finish what is under way, let go of connections, begin nothing."""

    @abstractmethod
    def after_fork(self) -> None:
        """Go on, in the parent."""

    @abstractmethod
    def after_fork_in_child(self) -> None:
        """Go on; whatever the parent has begun is the parent's."""


_watched: Final[weakref.WeakSet[Forkable]] = weakref.WeakSet()
_forking: Final[list[Forkable]] = []


def watch(store: Forkable) -> None:
    """Tell *store* of every fork of this process, as long as it lives."""
    _watched.add(store)


def _before() -> None:
    _forking.extend(_watched)
    for store in _forking:
        store.before_fork()


def _after() -> None:
    for store in _forking:
        store.after_fork()
    _forking.clear()


def _after_in_child() -> None:
    for store in _forking:
        store.after_fork_in_child()
    _forking.clear()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
