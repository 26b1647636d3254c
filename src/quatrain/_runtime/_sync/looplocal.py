"""What the process has one of."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")


class LoopLocal(Generic[T]):
    """One *T* for the process: threads share it, a forked child makes its own."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], None]) -> None:
        self._make = make
        self._close = close
        self._lock = threading.Lock()
        self._value: T | None = None
        _all.add(self)

    def __bool__(self) -> bool:
        """Whether there is a value."""
        return self._value is not None

    def get(self) -> T:
        """The value, made on first use."""
        value = self._value
        if value is None:
            with self._lock:
                value = self._value
                if value is None:
                    value = self._value = self._make()
        return value

    def close(self) -> None:
        """Close the value."""
        with self._lock:
            value, self._value = self._value, None
        if value is not None:
            self._close(value)

    def abandon(self) -> None:
        """Nobody will close it any more."""
        self.close()

    def leave_to_parent(self) -> None:
        """In a forked child: its connections are the parent's, and may not even be closed here."""
        if self._value is not None:
            _inherited.append(self._value)
        self._value = None
        self._lock = threading.Lock()  # a thread of the parent may have held it


_all: WeakSet[LoopLocal[Any]] = WeakSet()
_inherited: list[Any] = []  # never collected: that would close them


def _after_fork() -> None:
    for each in list(_all):
        each.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)
