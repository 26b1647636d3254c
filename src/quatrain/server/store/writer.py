"""A thread that writes: whatever has queued up goes into one transaction.

A transaction costs a sync of the disk; a hundred changes in one cost the same. Answers leave only
after COMMIT. An operation that raises takes nobody with it: the batch is rolled back and done
again, each operation under a savepoint of its own. That is safe because an operation depends on the
database and its argument only, and nobody has been answered yet.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from .connection import Operation
from .errors import StoreUnavailableError
from .gate import Gate
from .heartbeat import beat

_STUCK: Final = 10.0
"""Seconds a batch may take before new work is turned away: twice SQLite's own patience with a
locked database. A stopped process holds the lock for ever."""

_REMEMBERED: Final = 30.0
"""Seconds after which a failure is no news any more: only a new change can tell."""

_log: Final = logging.getLogger("quatrain.server.store")


class Job(NamedTuple):
    """One operation, and who waits for what comes of it: a loop's future, a thread's, or none."""

    operation: Operation
    argument: Any
    future: asyncio.Future[Any] | concurrent.futures.Future[Any] | None
    loop: asyncio.AbstractEventLoop | None


class _Failure(NamedTuple):
    """Changes that were not written."""

    at: float
    reason: str
    operations: set[Operation]
    passing: bool


Outcome: TypeAlias = tuple[Job, Any, BaseException | None]

OnBatch: TypeAlias = Callable[[int, float, bool], None]
"""Called by the writing thread after each transaction: with its number of changes, the seconds that
it took, and whether it failed."""


class GroupWriter(ABC):
    """Owns the connection that writes. ``submit`` never blocks; ``close`` drains."""

    def __init__(
        self, gate: Gate, *, max_batch: int, max_waiting: int, on_batch: OnBatch | None = None
    ) -> None:
        self._gate = gate
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._began: float | None = None
        self._failed: _Failure | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="quatrain-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Operations that are queued."""
        return self._jobs.qsize()

    def failed_lately(self) -> str | None:
        """Why the last changes were not written, for some time after; None when they were.

        Another change that was written since, a heartbeat say, is no sign that those would be: it
        may need no room where they do.
        """
        failed = self._failed
        if failed is None or time.monotonic() - failed.at > _REMEMBERED:
            return None
        return failed.reason

    def reached(self, at: float) -> None:
        """The database has taken a change that was sent at that monotonic time.

        What failed before as it could not be reached is over.
        """
        failed = self._failed
        if failed is not None and failed.passing and failed.at < at:
            self._failed = None

    def submit(self, job: Job) -> None:
        """Queue *job* for the next transaction, unless that would wait in vain."""
        if self._jobs.qsize() >= self._max_waiting:
            raise StoreUnavailableError(f"{self._max_waiting:,} changes are waiting already")
        began = self._began
        if began is not None and time.monotonic() - began > _STUCK:
            raise StoreUnavailableError("the database is locked by another program")
        self._jobs.put(job)
        if self._ended:  # since the caller last looked: nobody else will see it
            self._refuse_waiting()

    def close(self, timeout: float) -> bool:
        """Do what is queued, then end. False when that took longer than *timeout* seconds."""
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch, stopping = self._next_batch()
            if batch:
                self._began = began = time.monotonic()
                with self._gate:
                    outcomes = self._write(batch)
                self._began = None
                failed = self._note_failures(outcomes)
                if self._on_batch is not None:
                    self._on_batch(len(outcomes), time.monotonic() - began, failed)
                _deliver(outcomes)
        with self._gate:
            self.disconnect()
        self._ended = True
        self._refuse_waiting()

    def _note_failures(self, outcomes: list[Outcome]) -> bool:
        """Remember what was not written, until it is; whether any of it was not."""
        failed = [each for each in outcomes if isinstance(each[2], StoreUnavailableError)]
        if operations := {job.operation for job, _, _ in failed if job.operation is not beat}:
            exc = failed[0][2]
            passing = isinstance(exc, StoreUnavailableError) and exc.passing
            self._failed = _Failure(time.monotonic(), str(exc), operations, passing)
        elif self._failed is not None:
            written = {job.operation for job, _, exc in outcomes if exc is None}
            if written & self._failed.operations:
                self._failed = None
        return bool(failed)

    def _refuse_waiting(self) -> None:
        closed = StoreUnavailableError("the store is closed")
        with contextlib.suppress(queue.Empty):
            while job := self._jobs.get_nowait():
                _deliver([(job, None, closed)])

    def _next_batch(self) -> tuple[list[Job], bool]:
        """What is queued by now, at least one job; True with the last batch of all."""
        batch: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == self._max_batch or self._jobs.empty():
                return batch, False
            job = self._jobs.get()
        return batch, True

    def _take_waiting(self) -> list[Job]:
        """All that is queued by now, out of the queue."""
        taken: list[Job] = []
        with contextlib.suppress(queue.Empty):
            while job := self._jobs.get_nowait():
                taken.append(job)
            self._jobs.put(None)  # which it met, and nothing comes after that
        return taken

    @abstractmethod
    def disconnect(self) -> None:
        """Close what is open; the next batch opens it again."""

    @abstractmethod
    def _write(self, batch: list[Job]) -> list[Outcome]:
        """Do all of them, in one transaction if it can be. Raises nothing."""


def all_failed(
    batch: list[Job], reason: str, exc: Exception, *, passing: bool = False
) -> list[Outcome]:
    """What befell the whole batch, its COMMIT included: no single operation's fault."""
    _log.warning("%d changes were not written: %s", len(batch), reason, exc_info=exc)
    # one each: tracebacks grow on an exception that many tasks raise
    errors = [StoreUnavailableError(reason) for _ in batch]
    for error in errors:
        error.passing = passing
    return [(job, None, error) for job, error in zip(batch, errors, strict=True)]


def _deliver(outcomes: list[Outcome]) -> None:
    """One wake-up a loop, not one an answer."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, group in by_loop.items():
        if loop is None:
            settle(group)
            continue
        try:
            loop.call_soon_threadsafe(settle, group)
        except RuntimeError:
            _log.debug("%d answers came after their event loop had ended", len(group))


def settle(outcomes: list[Outcome]) -> None:
    """Hand every outcome to who waits for it."""
    for job, result, exc in outcomes:
        future = job.future
        if future is None:
            if exc is not None:
                _log.warning("a change nobody waits for failed: %s", exc)
        elif not future.done():
            if exc is not None:
                future.set_exception(exc)
            else:
                future.set_result(result)
