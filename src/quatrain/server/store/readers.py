"""Reads, on connections of their own in a few threads: neither writes nor the event loop wait."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .errors import StoreUnavailableError
from .files import DatabaseFile
from .gate import Gate

R = TypeVar("R")


class ReaderPool:
    """At most *size* reads at a time; connections are opened when needed and kept."""

    def __init__(self, file: DatabaseFile, gate: Gate, size: int) -> None:
        self._file = file
        self._gate = gate
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="quatrain-reader")

    def submit(
        self, read: Callable[[sqlite3.Connection, int, Any], R], now: int, argument: Any
    ) -> Future[R]:
        """Run *read* in a thread."""
        try:
            return self._threads.submit(self._run, read, now, argument)
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
                connection.close()
            self._idle.clear()

    def _run(self, read: Callable[[sqlite3.Connection, int, Any], R], now: int, argument: Any) -> R:
        with self._gate:
            self._file.check()
            with self._idle_lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self._file.connect()
                connection.execute("PRAGMA query_only = ON")
            # one read transaction: what it sees of two statements belongs together
            connection.execute("BEGIN")
            try:
                result = read(connection, now, argument)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            with self._idle_lock:
                self._idle.append(connection)
            return result
