"""One fetch for all who want the same at once, whatever flavour, loop or thread they are in.

What is known of a fetch under way is here; how to wait for it is each flavour's: ``wait_future``.
The lock is held for a few operations on a dictionary, never across a request.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Hashable
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """A fetch under way, led by one and waited for by any number."""

    def __init__(self) -> None:
        self.outcome: Future[T | None] = Future()
        """None when whoever led it was cancelled: somebody else has to."""
        self.thread = threading.get_ident()
        """The leader's."""


class Flights(Generic[T]):
    """All that are under way."""

    def __init__(self) -> None:
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        """Forget them: a forked child has no thread that would land any."""
        self.lock = threading.RLock()
        """For whoever keeps what has landed: both then change as one."""
        self._flights: dict[Hashable, Flight[T]] = {}

    def join(self, key: Hashable) -> tuple[Flight[T], bool]:
        """The flight for *key*, and whether the caller leads it: then it has to ``land`` it."""
        with self.lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def land(self, key: Hashable, flight: Flight[T], value: T) -> None:
        """Hand *value* to all who wait."""
        self.part(key, flight)
        flight.outcome.set_result(value)

    def fail(self, key: Hashable, flight: Flight[T], error: BaseException) -> None:
        """Hand *error* to all who wait, unless it has landed: one refusal answers them all.

        Where it is no Exception, the leader was cancelled or interrupted; one of the others leads.
        """
        self.part(key, flight)
        if flight.outcome.done():
            return
        if isinstance(error, Exception):
            flight.outcome.set_exception(error)
        else:
            flight.outcome.set_result(None)

    def part(self, key: Hashable, flight: Flight[T] | None = None) -> bool:
        """Let nobody join any more; *flight*, where given, and no other. Whether it was there."""
        with self.lock:
            found = self._flights.get(key)
            if found is None or (flight is not None and found is not flight):
                return False
            del self._flights[key]
            return True

    def known(self) -> list[Hashable]:
        """Of all that can be joined."""
        with self.lock:
            return list(self._flights)


_all: Final[weakref.WeakSet[Flights[Any]]] = weakref.WeakSet()


def _after_fork() -> None:
    for flights in list(_all):
        flights.reset()


os.register_at_fork(after_in_child=_after_fork)
