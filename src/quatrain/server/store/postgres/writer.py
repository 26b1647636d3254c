"""Writing to PostgreSQL: batches of several processes, side by side or in turns.

A transaction that was not yet told to COMMIT has not happened when its connection is lost, and is
done again on another. One whose COMMIT was not answered may have happened: its callers are told
that nobody knows, and ask again, the same way.

What is worth it comes in fewer trips (see ``connection.together`` and ``connection.in_one``): a
batch in a few statements; a single operation in one statement, which is its own transaction.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg

from ..connection import ALONE, IN_ONE, SIDE_BY_SIDE, TOGETHER
from ..errors import StoreUnavailableError
from ..gate import Gate
from ..patience import Patience
from ..writer import GroupWriter, Job, OnBatch, Outcome, all_failed
from .clock import DatabaseClock
from .connection import CLOCK, PostgresConnection, Raw, last_row, readable
from .errors import (
    has_ended_connection,
    is_conflict,
    is_locked,
    is_passing,
    of_environment,
)

_TURN: Final = 0x71_75_61_74_72_61_69_6E
"""The advisory lock that those who take turns hold, each until its transaction has ended."""
TOLD: Final = frozenset({"vendo_events", "velerian_runs", "webhook_deliveries"})
"""The tables that somebody waits for: writing to one is told to every process on the database."""
CHANNEL: Final = "quatrain"
_TRIES: Final = 5
"""Of one operation, when others were in its way."""
_OF_SIDE_BY_SIDE: Final = """
SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;
SET enable_hashjoin = off; SET enable_mergejoin = off
"""
"""Each row is looked up in an index (by a bitmap scan, of which there is none without a condition):
a plan is kept for long, and may have been made while there were so few rows that to go through all
of them was less work."""
_KNOWN_AT: Final = 200
"""Changes after which the database is to look at what it has: not knowing anything, it takes every
index for as good as any other. By itself it looks a minute later."""
_UNKNOWN: Final = """
SELECT quote_ident(relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND reltuples < 0
  AND pg_relation_size(oid) > 0
"""
PATIENCE: Final = 5.0
"""Seconds that work waits for a database that is away: it is restarted, or another takes over."""


class _CommitError(Exception):
    """It was told to COMMIT, and did not say that it has."""


class PostgresWriter(GroupWriter):
    """Writes batches; with *takes_turns* no other process does so at the same time."""

    def __init__(
        self,
        connect: Callable[[], Raw],
        gate: Gate,
        clock: DatabaseClock,
        *,
        takes_turns: bool,
        max_batch: int,
        max_waiting: int,
        on_batch: OnBatch | None = None,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._takes_turns = takes_turns
        turn = f"SELECT pg_advisory_xact_lock({_TURN}); " if takes_turns else ""
        self._begin = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {turn}{CLOCK}"
        self._connection: PostgresConnection | None = None
        self._until_known = _KNOWN_AT
        self.backend = 0
        """What the database calls this connection."""
        super().__init__(gate, max_batch=max_batch, max_waiting=max_waiting, on_batch=on_batch)

    def disconnect(self) -> None:
        """Close the connection, which takes back what was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.raw.close()

    def _write(self, batch: list[Job]) -> list[Outcome]:
        if not self._takes_turns:
            batch = sorted(batch, key=_place)
        try:
            return self._write_patiently(batch)
        except Exception as exc:  # noqa: BLE001 - the thread must outlive whatever befalls a batch
            self.disconnect()
            if len(batch) > 1 and (is_conflict(exc) or is_locked(exc)):
                return self._write_apart(batch, exc)
            if is_passing(exc):
                # who queued up meanwhile need not wait as long again, batch after batch
                batch = [*batch, *self._take_waiting()]
            cause = exc.__cause__ if isinstance(exc, _CommitError) else exc
            passing = cause is not None and is_passing(cause)
            return all_failed(batch, _reason(exc), exc, passing=passing)

    def _write_apart(self, batch: list[Job], exc: Exception) -> list[Outcome]:
        """Each by itself: none waits for a lock while it holds another's.

        Each may wait as long as the whole batch has: what is left after a while has to ask again.
        """
        outcomes: list[Outcome] = []
        until = time.monotonic() + PATIENCE
        for number, job in enumerate(batch):
            if time.monotonic() > until:
                return [*outcomes, *all_failed(batch[number:], _reason(exc), exc)]
            outcomes += self._write([job])
        return outcomes

    def _write_patiently(self, batch: list[Job]) -> list[Outcome]:
        patience = Patience(PATIENCE)
        tries = _TRIES if len(batch) == 1 else 1
        while True:
            try:
                return self._transact(self._connected(), batch)
            except psycopg.Error as exc:
                self.disconnect()
                tries -= is_conflict(exc)
                if not (is_conflict(exc) and tries) and not (is_passing(exc) and patience.wait()):
                    raise

    def _connected(self) -> PostgresConnection:
        if self._connection is None:
            self._connection = PostgresConnection(self._connect())
            if not self._takes_turns:
                self._connection.raw.execute(_OF_SIDE_BY_SIDE.encode())
            self.backend = self._connection.raw.info.backend_pid
        return self._connection

    def _transact(self, connection: PostgresConnection, batch: list[Job]) -> list[Outcome]:
        if len(batch) == 1 and (outcome := self._in_one(connection, batch[0])) is not None:
            outcomes = [outcome]
        else:
            outcomes = self._in_transaction(connection, batch)
        if 0 < self._until_known <= len(batch):
            self._have_it_look(connection)
        self._until_known -= len(batch)
        return outcomes

    def _in_one(self, connection: PostgresConnection, job: Job) -> Outcome | None:
        """In one trip, when that can be and there is something to change."""
        in_one = IN_ONE.get(job.operation)
        # a connection that was ended meanwhile is found out before anything is asked on it
        if in_one is None or _says_something(connection):
            return None
        try:
            done = in_one(connection, self._clock.given(), (job.operation, job.argument))
        except Exception as exc:
            if connection.raw.closed or has_ended_connection(exc):
                raise _CommitError from exc  # it may have been on its way back
            if is_conflict(exc) or of_environment(exc):
                raise
            return None  # its own fault, of which it is told when it is done as ever
        if done is None:
            return None
        now, answer = done
        self._clock.seen(now)
        return job, answer, None

    def _in_transaction(self, connection: PostgresConnection, batch: list[Job]) -> list[Outcome]:
        now = self._start(connection)
        outcomes: list[Outcome]
        try:
            outcomes = _all_done(connection, now, batch)
        except Exception as exc:
            if is_conflict(exc) or of_environment(exc):
                raise
            connection.raw.execute("ROLLBACK")
            now = self._start(connection)
            outcomes = [_apart(connection, now, job) for job in batch]
        self._commit(connection)
        return outcomes

    @staticmethod
    def _have_it_look(connection: PostgresConnection) -> None:
        """Once in a database's life, unless it has done so by itself."""
        with contextlib.suppress(psycopg.Error):  # another time, then
            for (table,) in connection.raw.execute(_UNKNOWN.encode()).fetchall():
                connection.raw.execute(f"ANALYZE (SKIP_LOCKED) {table}".encode())

    def _start(self, connection: PostgresConnection) -> int:
        """Begin a transaction, when the turn has come; the time then."""
        connection.written.clear()
        return self._clock.seen(last_row(connection.raw.execute(self._begin.encode()))[0])

    def _commit(self, connection: PostgresConnection) -> None:
        told = "".join(f"NOTIFY {CHANNEL}, '{table}'; " for table in connection.written & TOLD)
        try:
            cursor = connection.raw.execute(f"{told}COMMIT".encode())
        except psycopg.Error as exc:
            raise _CommitError from exc
        while cursor.nextset():
            pass
        # an operation that passed over an error has lost the whole transaction, and COMMIT says so
        if cursor.statusmessage != "COMMIT":
            raise StoreUnavailableError("the transaction failed, and was rolled back")


def _says_something(connection: PostgresConnection) -> bool:
    """Whether the database has said what nobody asked for: that it is going, most of all."""
    return bool(readable([connection.raw.fileno()], 0))


def _place(job: Job) -> tuple[Any, ...]:
    return SIDE_BY_SIDE[job.operation](job.argument)


def _all_done(connection: PostgresConnection, now: int, batch: list[Job]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for together, run in itertools.groupby(batch, lambda job: TOGETHER.get(job.operation)):
        if together is None:
            outcomes += [(job, _done(connection, now, job), None) for job in run]
        else:
            jobs = list(run)
            work = [(job.operation, job.argument) for job in jobs]
            answers = together(connection, now, work)
            outcomes += [(job, each, None) for job, each in zip(jobs, answers, strict=True)]
    return outcomes


def _done(connection: PostgresConnection, now: int, job: Job) -> Any:
    if (table := ALONE.get(job.operation)) is not None:
        connection.raw.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE".encode())
    return job.operation(connection, now, job.argument)


def _apart(connection: PostgresConnection, now: int, job: Job) -> Outcome:
    connection.raw.execute("SAVEPOINT job")
    try:
        outcome: Outcome = (job, _done(connection, now, job), None)
    except Exception as exc:
        if is_conflict(exc) or of_environment(exc):
            raise
        connection.raw.execute("ROLLBACK TO job")
        outcome = (job, None, exc)
    connection.raw.execute("RELEASE job")
    return outcome


def _reason(exc: Exception) -> str:
    if isinstance(exc, StoreUnavailableError):
        return str(exc)
    if isinstance(exc, _CommitError):
        cause = exc.__cause__
        why = of_environment(cause) if cause is not None else None
        return f"{why or 'the transaction failed'}; whether the change was made is not known"
    return of_environment(exc) or f"the transaction failed: {exc}"
