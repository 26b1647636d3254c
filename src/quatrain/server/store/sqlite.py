"""The store on SQLite: one file, written by one thread a process, shared by any number of those."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from ..._runtime._forks import watch
from . import migrations
from .errors import StoreUnavailableError, of_environment
from .files import DatabaseFile
from .gate import Gate
from .heartbeat import beat
from .readers import ReaderPool
from .writer import GroupWriter, Job

A = TypeVar("A")
R = TypeVar("R")

_CLOSE_TIMEOUT: Final = 30.0
_ENOUGH: Final = 32 * 1024 * 1024
"""Bytes on the disk below which no more work should come: leases are about to be refused."""


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SqliteStore:
    """Runs operations on one database file.

    An operation is ``operation(connection, now, argument)``: a plain function that runs in a thread
    of the store, inside a transaction. *now* is the server's clock, in milliseconds since 1970;
    ``now_ms`` replaces it in tests. ``on_batch`` is called by the writing thread after each
    transaction: with its number of changes, the seconds it took, and whether it failed.

    ``open`` and ``close`` may be called twice. A process that forks takes an open store along: the
    child has its own threads and connections. Everything raises StoreUnavailableError when the
    database can't be used; ``open`` raises ConfigError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        now_ms: Callable[[], int] = wall_clock_ms,
        readers: int = 4,
        max_batch: int = 256,
        max_waiting: int = 10_000,
        on_batch: Callable[[int, float, bool], None] | None = None,
    ) -> None:
        self.now_ms = now_ms
        self._file = DatabaseFile(path)
        self._readers_wanted = readers
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._lifecycle = threading.Lock()
        self._gate = Gate()
        self._child_may_open = True
        self._inherited = False
        self._writer: GroupWriter | None = None
        self._readers: ReaderPool | None = None

    # -- life -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Create or migrate the database and start the threads; raises ConfigError."""
        with self._lifecycle:
            if self._writer is None:
                watch(self)
                self._file.prepare()
                self._start()
                self._inherited = False

    def close(self) -> None:
        """Write what is queued, answer it, and close every connection."""
        with self._lifecycle:
            writer, self._writer = self._writer, None
            readers, self._readers = self._readers, None
            self._inherited = False
        if writer is not None:
            writer.close(_CLOSE_TIMEOUT)
        if readers is not None:
            readers.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self) -> tuple[GroupWriter, ReaderPool]:
        writer = GroupWriter(
            self._file,
            self._gate,
            self.now_ms,
            max_batch=self._max_batch,
            max_waiting=self._max_waiting,
            on_batch=self._on_batch,
        )
        readers = ReaderPool(self._file, self._gate, self._readers_wanted)
        self._writer, self._readers = writer, readers
        return writer, readers

    def _resume(self) -> tuple[GroupWriter, ReaderPool]:
        """Start the threads of a store that came into this process open, with its fork."""
        with self._lifecycle:
            if self._writer is not None and self._readers is not None:
                return self._writer, self._readers
            if not self._inherited:
                raise StoreUnavailableError("the store is closed")
            return self._start()

    # -- work -------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Changes that are queued for the next transactions."""
        writer = self._writer
        return 0 if writer is None else writer.waiting

    async def write(self, operation: Callable[[sqlite3.Connection, int, A], R], argument: A) -> R:
        """Run *operation* in the next transaction; returns when that is on the disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._submit(Job(operation, argument, future, loop))
        return await future

    def write_blocking(
        self, operation: Callable[[sqlite3.Connection, int, A], R], argument: A
    ) -> R:
        """Like ``write``, from plain code: the calling thread waits."""
        future: concurrent.futures.Future[R] = concurrent.futures.Future()
        self._submit(Job(operation, argument, future, None))
        return future.result()

    def write_unawaited(
        self, operation: Callable[[sqlite3.Connection, int, A], Any], argument: A
    ) -> None:
        """Like ``write``, for what nobody waits for; a failure is logged."""
        self._submit(Job(operation, argument, None, None))

    async def read(self, query: Callable[[sqlite3.Connection, int, A], R], argument: A) -> R:
        """Run *query* in a reading thread, on what has been committed by now."""
        try:
            return await asyncio.wrap_future(self._submit_read(query, argument))
        except (sqlite3.Error, OSError) as exc:
            raise _unavailable(exc) from exc

    def read_blocking(self, query: Callable[[sqlite3.Connection, int, A], R], argument: A) -> R:
        """Like ``read``, from plain code: the calling thread waits."""
        try:
            return self._submit_read(query, argument).result()
        except (sqlite3.Error, OSError) as exc:
            raise _unavailable(exc) from exc

    async def probe(self) -> None:
        """Write one row and see it on the disk, or raise StoreUnavailableError."""
        await self.write(beat, None)

    def troubles(self) -> list[str]:
        """Why changes are refused, or are about to be, each in words; none when all is well.

        Beyond what ``probe`` finds out: the smallest change may still fit where no other does.
        Blocks. Raises StoreUnavailableError.
        """
        found = []
        writer = self._writer
        if (reason := writer and writer.failed_lately()) is not None:
            found.append(f"changes were not written lately: {reason}")
        try:
            left = self._file.free_bytes()
        except OSError as exc:
            raise _unavailable(exc) from exc
        if left < _ENOUGH:
            found.append(f"the disk is nearly full: {left // 1024:,} KiB are left")
        version = self.read_blocking(_version, None)
        if version != migrations.newest():
            found.append(
                f"the database has schema version {version}, and this quatrain works with"
                f" {migrations.newest()}: restart it with the newer one"
            )
        return found

    def _submit(self, job: Job) -> None:
        writer = self._writer or self._resume()[0]
        writer.submit(job)

    def _submit_read(
        self, query: Callable[[sqlite3.Connection, int, A], R], argument: A
    ) -> concurrent.futures.Future[R]:
        readers = self._readers or self._resume()[1]
        return readers.submit(query, self.now_ms(), argument)

    # -- forks ------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait for the work under way and close every connection."""
        self._lifecycle.acquire()
        self._child_may_open = self._gate.shut()
        if self._child_may_open:
            if self._writer is not None:
                self._writer.disconnect()
            if self._readers is not None:
                self._readers.disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on; connections are opened as they are needed."""
        self._gate.open()
        self._lifecycle.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: the threads are gone, and what was queued is the parent's to do."""
        if not self._child_may_open:
            # the parent's connections are still open: none may be opened here, nor these be closed
            self._abandoned = self._writer, self._readers
        self._inherited = self._child_may_open and (self._inherited or self._writer is not None)
        self._lifecycle = threading.Lock()
        self._gate = Gate()
        self._writer = self._readers = None


def _version(connection: sqlite3.Connection, _now: int, _: None) -> int:
    return migrations.version_of(connection)


def _unavailable(exc: sqlite3.Error | OSError) -> Exception:
    reason = of_environment(exc)
    return exc if reason is None else StoreUnavailableError(reason)
