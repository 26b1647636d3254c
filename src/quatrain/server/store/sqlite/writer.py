"""Writing to SQLite: one connection, and a lock by which the processes on a file take turns."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable

from ..errors import StoreUnavailableError, of_environment
from ..gate import Gate
from ..writer import GroupWriter, Job, OnBatch, Outcome, all_failed
from .files import DatabaseFile


class SqliteWriter(GroupWriter):
    """Writes batches to one file."""

    def __init__(
        self,
        file: DatabaseFile,
        gate: Gate,
        now_ms: Callable[[], int],
        *,
        max_batch: int,
        max_waiting: int,
        on_batch: OnBatch | None = None,
    ) -> None:
        self._file = file
        self._now_ms = now_ms
        self._connection: sqlite3.Connection | None = None
        self._lock = -1
        super().__init__(gate, max_batch=max_batch, max_waiting=max_waiting, on_batch=on_batch)

    def disconnect(self) -> None:
        """Close the connection and the lock; the next batch opens them again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, batch: list[Job]) -> list[Outcome]:
        try:
            connection = self._take_turn()
            outcomes = self._transact(connection, batch)
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        except Exception as exc:  # noqa: BLE001 - the thread must outlive whatever befalls a batch
            self._give_up_connection()
            return all_failed(batch, _reason(exc), exc)
        return outcomes

    def _take_turn(self) -> sqlite3.Connection:
        """Wait for the other processes; flock wakes in turn where SQLite's own lock would poll."""
        if self._lock < 0:
            self._lock = self._file.open_lock()
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._file.check()
        if self._connection is None:
            self._connection = self._file.connect()
        return self._connection

    def _transact(self, connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = self._now_ms()
            outcomes: list[Outcome] = [
                (job, job.operation(connection, now, job.argument), None) for job in batch
            ]
        except Exception as exc:
            if of_environment(exc):
                raise
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            now = self._now_ms()
            outcomes = [_apart(connection, now, job) for job in batch]
        connection.execute("COMMIT")
        return outcomes

    def _give_up_connection(self) -> None:
        """After a failure the connection's state is anybody's guess: closing it rolls back."""
        try:
            self.disconnect()
        except sqlite3.Error:
            self._connection = None
            self.disconnect()


def _apart(connection: sqlite3.Connection, now: int, job: Job) -> Outcome:
    connection.execute("SAVEPOINT job")
    try:
        outcome: Outcome = (job, job.operation(connection, now, job.argument), None)
    except Exception as exc:
        if of_environment(exc):
            raise
        connection.execute("ROLLBACK TO job")
        outcome = (job, None, exc)
    connection.execute("RELEASE job")
    return outcome


def _reason(exc: Exception) -> str:
    if isinstance(exc, StoreUnavailableError):
        return str(exc)
    return of_environment(exc) or f"the transaction failed: {exc}"
