"""Which deliveries have been handled: a platform that got no answer sends the same one again."""

from __future__ import annotations

import collections
import hashlib
import threading
from abc import abstractmethod
from typing import Final, Literal, Protocol, TypeAlias

from .._runtime._forks import watch
from ..errors.velocity import InputError

State: TypeAlias = Literal["new", "running", "handled"]

_MAX_ID: Final = 200


class SeenStore(Protocol):
    """Remembers deliveries. Its methods may block, briefly, and are called from any thread."""

    @abstractmethod
    def begin(self, delivery_id: str) -> State:
        """What is known of a delivery.

        "new": nobody handles it, and from now on the caller does, until it calls ``finish``;
        "running": somebody does; "handled": somebody has.
        """

    @abstractmethod
    def finish(self, delivery_id: str, *, handled: bool) -> None:
        """Say that a delivery is handled, for good; or that it is not, and the next may be."""


class MemorySeen:
    """Remembers the last *max_entries* deliveries of this process, until it ends.

    When it is full it forgets those that were handled first, and only then those that still run.
    """

    def __init__(self, max_entries: int = 100_000) -> None:
        if max_entries < 1:
            raise InputError("max_entries has to be 1 or more")
        self._max_entries = max_entries
        self._lock = threading.Lock()
        # each in order, the oldest first
        self._running: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._handled: collections.OrderedDict[str, None] = collections.OrderedDict()
        watch(self)

    def __len__(self) -> int:
        """How many deliveries are remembered."""
        return len(self._running) + len(self._handled)

    def begin(self, delivery_id: str) -> State:
        """``SeenStore.begin``."""
        key = short(delivery_id)
        with self._lock:
            if key in self._handled:
                return "handled"
            if key in self._running:
                return "running"
            self._running[key] = None
            self._forget()
            return "new"

    def finish(self, delivery_id: str, *, handled: bool) -> None:
        """``SeenStore.finish``."""
        key = short(delivery_id)
        with self._lock:
            self._running.pop(key, None)
            if handled:
                self._handled[key] = None
                self._forget()

    def _forget(self) -> None:
        while len(self) > self._max_entries:
            (self._handled or self._running).popitem(last=False)

    def before_fork(self) -> None:
        """Let nobody in: a child would wait for ever for a thread that it does not have."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on with what is handled; what runs, runs in the parent."""
        self._running.clear()
        self._lock.release()


def short(delivery_id: str) -> str:
    """The id itself, or its SHA-256 where it is longer than anything that should be kept."""
    if len(delivery_id) <= _MAX_ID:
        return delivery_id
    return f"sha256:{hashlib.sha256(delivery_id.encode('utf-8', 'surrogatepass')).hexdigest()}"
