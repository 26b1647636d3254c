"""The store on SQLite: one file, written by one thread a process, shared by any number of those."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..base import Store, Threads, wall_clock_ms
from ..errors import StoreUnavailableError, of_environment
from ..gate import Gate
from ..readers import ReaderPool
from ..writer import GroupWriter, Job, OnBatch
from .files import DatabaseFile
from .writer import SqliteWriter

R = TypeVar("R")

_ENOUGH: Final = 32 * 1024 * 1024
"""Bytes on the disk below which no more work should come: leases are about to be refused."""


class SqliteStore(Store):
    """Runs operations on one database file. ``now_ms`` replaces the clock in tests."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        now_ms: Callable[[], int] = wall_clock_ms,
        readers: int = 4,
        max_batch: int = 256,
        max_waiting: int = 10_000,
        on_batch: OnBatch | None = None,
    ) -> None:
        super().__init__()
        self.now_ms = now_ms
        self._file = DatabaseFile(path)
        self.database = self._file.path
        self._readers_wanted = readers
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._on_batch = on_batch

    def _prepare(self) -> None:
        self._file.prepare()

    def _start(self) -> Threads:
        writer = SqliteWriter(
            self._file,
            self._gate,
            self.now_ms,
            max_batch=self._max_batch,
            max_waiting=self._max_waiting,
            on_batch=self._on_batch,
        )
        readers = SqliteReaders(self._file, self._gate, self.now_ms, self._readers_wanted)
        return Threads((writer,), readers)

    def _writer_of(self, job: Job, writers: tuple[GroupWriter, ...]) -> GroupWriter:
        del job
        return writers[0]

    def _reason(self, exc: Exception) -> str | None:
        return of_environment(exc) if isinstance(exc, sqlite3.Error | OSError) else None

    def _shortages(self) -> list[str]:
        try:
            left = self._file.free_bytes()
        except OSError as exc:
            reason = of_environment(exc)
            raise exc if reason is None else StoreUnavailableError(reason) from exc
        if left >= _ENOUGH:
            return []
        return [f"the disk is nearly full: {left // 1024:,} KiB are left"]


class SqliteReaders(ReaderPool[sqlite3.Connection]):
    """Connections that can't write."""

    def __init__(
        self, file: DatabaseFile, gate: Gate, now_ms: Callable[[], int], size: int
    ) -> None:
        self._file = file
        self._now_ms = now_ms
        super().__init__(gate, size)

    def _run(self, read: Callable[[Any, int, Any], R], argument: Any) -> R:
        self._file.check()
        connection = self._take()
        if connection is None:
            connection = self._file.connect()
            connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        try:
            result = read(connection, self._now_ms(), argument)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return result

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
