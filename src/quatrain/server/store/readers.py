"""Reads, on connections of their own in a few threads: neither writes nor the event loop wait."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from .errors import StoreUnavailableError
from .gate import Gate

C = TypeVar("C")
R = TypeVar("R")


class ReaderPool(ABC, Generic[C]):
    """At most *size* reads at a time; connections are opened when needed and kept."""

    def __init__(self, gate: Gate, size: int) -> None:
        self._gate = gate
        self._idle: list[C] = []
        self._idle_lock = threading.Lock()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="quatrain-reader")

    @abstractmethod
    def _run(self, read: Callable[[Any, int, Any], R], argument: Any) -> R:
        """One read transaction: what it sees of two statements belongs together."""

    @abstractmethod
    def _close(self, connection: C) -> None: ...

    def submit(self, read: Callable[[Any, int, Any], R], argument: Any) -> Future[R]:
        """Run *read* in a thread."""
        try:
            return self._threads.submit(self._enter, read, argument)
        except RuntimeError:  # closed since the caller last looked
            raise StoreUnavailableError("the store is closed") from None

    def close(self) -> None:
        """Wait for the reads under way, then close every connection."""
        self._threads.shutdown(wait=True)
        self.disconnect()

    def disconnect(self) -> None:
        """Close the idle connections."""
        with self._idle_lock:
            for connection in self._idle:
                self._close(connection)
            self._idle.clear()

    def _enter(self, read: Callable[[Any, int, Any], R], argument: Any) -> R:
        with self._gate:
            return self._run(read, argument)

    def _take(self) -> C | None:
        """An idle connection."""
        with self._idle_lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: C) -> None:
        with self._idle_lock:
            self._idle.append(connection)
