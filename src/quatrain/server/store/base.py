"""What every store does: takes operations to its threads, opens and closes, and survives forks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import attrs

from ..._runtime._forks import watch
from . import migrations
from .connection import Connection
from .errors import StoreUnavailableError
from .gate import Gate
from .heartbeat import beat
from .postgres.url import PostgresURL
from .readers import ReaderPool
from .writer import GroupWriter, Job

A = TypeVar("A")
R = TypeVar("R")

_CLOSE_TIMEOUT: Final = 30.0


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@attrs.frozen
class Threads:
    """What works for an open store."""

    writers: tuple[GroupWriter, ...]
    readers: ReaderPool[Any]


class Store(ABC):
    """Runs operations on one database.

    An operation is ``operation(connection, now, argument)``: a plain function that runs in a thread
    of the store, inside a transaction. *now* is the server's clock, in milliseconds since 1970;
    ``now_ms`` tells it elsewhere.

    ``open`` and ``close`` may be called twice. A process that forks takes an open store along: the
    child has its own threads and connections. Everything raises StoreUnavailableError when the
    database can't be used; ``open`` raises ConfigError.
    """

    now_ms: Callable[[], int]
    database: Path | PostgresURL

    def __init__(self) -> None:
        self._lifecycle = threading.Lock()
        self._gate = Gate()
        self._child_may_open = True
        self._inherited = False
        self._threads: Threads | None = None

    # -- what each kind of database has its own way of ---------------------------------------------

    @abstractmethod
    def _prepare(self) -> None:
        """Create or migrate the database; raises ConfigError."""

    @abstractmethod
    def _start(self) -> Threads:
        """Begin to work on it."""

    @abstractmethod
    def _writer_of(self, job: Job, writers: tuple[GroupWriter, ...]) -> GroupWriter:
        """Whose *job* is."""

    @abstractmethod
    def _reason(self, exc: Exception) -> str | None:
        """What failed around the database, in words; None when *exc* is of another kind."""

    def listen(self, table: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have *wake* called, from any thread, when another process has written into *table*.

        Returns what ends that. Some calls may be in vain, and some be missed: who listens looks by
        itself from time to time, too. A database that can't tell never calls.
        """
        del table, wake
        return lambda: None

    # -- life -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Create or migrate the database and start the threads; raises ConfigError."""
        with self._lifecycle:
            if self._threads is None:
                watch(self)
                self._prepare()
                self._threads = self._start()
                self._inherited = False

    def close(self) -> None:
        """Write what is queued, answer it, and close every connection."""
        with self._lifecycle:
            threads, self._threads = self._threads, None
            self._inherited = False
        if threads is not None:
            for writer in threads.writers:
                writer.close(_CLOSE_TIMEOUT)
            threads.readers.close()

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

    def _resume(self) -> Threads:
        """Start the threads of a store that came into this process open, with its fork."""
        with self._lifecycle:
            if self._threads is not None:
                return self._threads
            if not self._inherited:
                raise StoreUnavailableError("the store is closed")
            self._threads = self._start()
            return self._threads

    # -- work -------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Changes that are queued for the next transactions."""
        threads = self._threads
        return 0 if threads is None else sum(writer.waiting for writer in threads.writers)

    async def write(self, operation: Callable[[Connection, int, A], R], argument: A) -> R:
        """Run *operation* in the next transaction; returns when that is on the disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._submit(Job(operation, argument, future, loop))
        return await future

    def write_blocking(self, operation: Callable[[Connection, int, A], R], argument: A) -> R:
        """Like ``write``, from plain code: the calling thread waits."""
        future: concurrent.futures.Future[R] = concurrent.futures.Future()
        self._submit(Job(operation, argument, future, None))
        return future.result()

    def write_unawaited(self, operation: Callable[[Connection, int, A], Any], argument: A) -> None:
        """Like ``write``, for what nobody waits for; a failure is logged."""
        self._submit(Job(operation, argument, None, None))

    async def read(self, query: Callable[[Connection, int, A], R], argument: A) -> R:
        """Run *query* in a reading thread, on what has been committed by now."""
        try:
            return await asyncio.wrap_future(self._submit_read(query, argument))
        except Exception as exc:
            if (reason := self._reason(exc)) is None:
                raise
            raise StoreUnavailableError(reason) from exc

    def read_blocking(self, query: Callable[[Connection, int, A], R], argument: A) -> R:
        """Like ``read``, from plain code: the calling thread waits."""
        try:
            return self._submit_read(query, argument).result()
        except Exception as exc:
            if (reason := self._reason(exc)) is None:
                raise
            raise StoreUnavailableError(reason) from exc

    async def probe(self) -> None:
        """Write one row and see it on the disk, or raise StoreUnavailableError."""
        began = time.monotonic()
        await self.write(beat, None)
        for writer in self._writers():
            writer.reached(began)

    def troubles(self) -> list[str]:
        """Why changes are refused, or are about to be, each in words; none when all is well.

        Beyond what ``probe`` finds out: the smallest change may still fit where no other does.
        Blocks. Raises StoreUnavailableError.
        """
        found = [
            f"changes were not written lately: {reason}"
            for writer in self._writers()
            if (reason := writer.failed_lately()) is not None
        ]
        found += self._shortages()
        version = self.read_blocking(_version, None)
        if version != migrations.newest():
            found.append(
                f"the database has schema version {version}, and this quatrain works with"
                f" {migrations.newest()}: restart it with the newer one"
            )
        return found

    def _writers(self) -> tuple[GroupWriter, ...]:
        threads = self._threads
        return () if threads is None else threads.writers

    def _shortages(self) -> list[str]:
        """What this machine is about to run out of; raises StoreUnavailableError."""
        return []

    def _submit(self, job: Job) -> None:
        threads = self._threads or self._resume()
        self._writer_of(job, threads.writers).submit(job)

    def _submit_read(
        self, query: Callable[[Connection, int, A], R], argument: A
    ) -> concurrent.futures.Future[R]:
        threads = self._threads or self._resume()
        return threads.readers.submit(query, argument)

    # -- forks ------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait for the work under way and close every connection."""
        self._lifecycle.acquire()
        self._child_may_open = self._gate.shut()
        if self._child_may_open and self._threads is not None:
            for writer in self._threads.writers:
                writer.disconnect()
            self._threads.readers.disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on; connections are opened as they are needed."""
        self._gate.open()
        self._lifecycle.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: the threads are gone, and what was queued is the parent's to do."""
        if not self._child_may_open:
            # the parent's connections are still open: none may be opened here, nor these be closed
            self._abandoned = self._threads
        self._inherited = self._child_may_open and (self._inherited or self._threads is not None)
        self._lifecycle = threading.Lock()
        self._gate = Gate()
        self._threads = None


def _version(connection: Connection, _now: int, _: None) -> int:
    return migrations.version_of(connection)
