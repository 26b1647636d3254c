"""The store on PostgreSQL: one database, shared by any number of processes on any machines.

Each process has two writers, a thread and a connection each. One takes the operations that may run
beside those of others (see ``connection.side_by_side``): the effect ledger's. The other one's take
turns among all processes, in which each is the only writer, as on SQLite. So an operation is right
here if it is right there; only those of the first kind have to be thought about.

The time is the database's: its ``clock_timestamp()`` when a batch begins.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import psycopg

from quatrain.errors import ConfigError

from ..base import Store, Threads
from ..connection import IN_ORDER, SIDE_BY_SIDE
from ..errors import DatabaseAwayError
from ..gate import Gate
from ..migrations import migrate_postgres
from ..patience import Patience
from ..readers import ReaderPool
from ..writer import GroupWriter, Job, OnBatch
from .clock import DatabaseClock
from .connection import (
    CLOCK,
    READER_IDLE,
    WRITER_IDLE,
    PostgresConnection,
    Raw,
    connect,
    is_away,
    last_row,
    why_refused,
)
from .errors import is_passing, of_environment
from .listener import Listener
from .url import PostgresURL
from .writer import PATIENCE, PostgresWriter

R = TypeVar("R")

_BY_INDEX: Final = "".join(
    f"SET LOCAL {name} = {value}; "
    for name, value in {
        "enable_sort": "off",
        "enable_seqscan": "off",
        # of several indexes in that order, the one that has the fewest rows to be looked at: whose
        # rows lie side by side is no matter where so few are read
        "seq_page_cost": "0",
        "random_page_cost": "0",
        # compiling is for what takes long, as a plan is taken to do that sorts all the same
        "jit": "off",
    }.items()
)
"""For what is read in an index's order: another way is taken only where there is no such index."""
# a plan that is made once for all values goes through all rows for a rare one
_PLANNED_EACH_TIME: Final = "SET plan_cache_mode = force_custom_plan;"


class PostgresStore(Store):
    """Runs operations on one database. ``now_ms`` replaces its clock in tests."""

    def __init__(
        self,
        url: PostgresURL,
        *,
        now_ms: Callable[[], int] | None = None,
        readers: int = 4,
        max_batch: int = 256,
        max_waiting: int = 10_000,
        on_batch: OnBatch | None = None,
    ) -> None:
        super().__init__()
        self.database = self._url = url
        self._clock = DatabaseClock(now_ms)
        self.now_ms = self._clock.now_ms
        self._listener = Listener(self._connect, self._own)
        self._readers_wanted = readers
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._on_batch = on_batch

    def __repr__(self) -> str:
        return f"<PostgresStore {self.database}>"

    def _prepare(self) -> None:
        try:
            raw = connect(self._url, idle=WRITER_IDLE)
            try:
                migrate_postgres(PostgresConnection(raw))
                self._clock.seen(last_row(raw.execute(CLOCK.encode()))[0])
            finally:
                raw.close()
        except psycopg.Error as exc:
            reason = why_refused(self._url, exc)
            away = is_passing(exc) and is_away(self._url)
            text = f"the database {self.database} can't be used: {reason}"
            # what the driver says without having spoken to a server may repeat parts of the address
            cause = exc if exc.sqlstate else None
            raise (DatabaseAwayError if away else ConfigError)(text) from cause

    def _start(self) -> Threads:
        apart, in_turns = (
            PostgresWriter(
                self._connect,
                self._gate,
                self._clock,
                takes_turns=takes_turns,
                max_batch=self._max_batch,
                max_waiting=self._max_waiting,
                on_batch=self._on_batch,
            )
            for takes_turns in (False, True)
        )
        readers = PostgresReaders(
            self._connect_reader, self._gate, self._clock.seen, self._readers_wanted
        )
        return Threads((apart, in_turns), readers)

    def _writer_of(self, job: Job, writers: tuple[GroupWriter, ...]) -> GroupWriter:
        return writers[0 if job.operation in SIDE_BY_SIDE else 1]

    def _reason(self, exc: Exception) -> str | None:
        return of_environment(exc)

    def listen(self, table: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have *wake* called when any process has written into *table*."""
        return self._listener.add(table, wake)

    def close(self) -> None:
        """Write what is queued, answer it, and close every connection."""
        super().close()
        self._listener.close()

    def after_fork_in_child(self) -> None:
        """Begin anew."""
        super().after_fork_in_child()
        self._abandoned_listener = self._listener
        self._listener = Listener(self._connect, self._own)
        self._abandoned_listener.forget()

    def _own(self) -> set[int]:
        threads = self._threads
        writers = () if threads is None else threads.writers
        return {each.backend for each in writers if isinstance(each, PostgresWriter)}

    def _connect(self) -> Raw:
        return connect(self._url, idle=WRITER_IDLE)

    def _connect_reader(self) -> Raw:
        return connect(self._url, idle=READER_IDLE, settings=_PLANNED_EACH_TIME)


class PostgresReaders(ReaderPool[PostgresConnection]):
    """Connections in transactions that can't write, and see the database as it was at one time."""

    def __init__(
        self, connect: Callable[[], Raw], gate: Gate, clock: Callable[[int], int], size: int
    ) -> None:
        self._connect = connect
        self._clock = clock
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        self._begin = f"{begin}; {CLOCK}".encode()
        self._begin_in_order = f"{begin}; {_BY_INDEX}{CLOCK}".encode()
        super().__init__(gate, size)

    def submit(self, read: Callable[[Any, int, Any], R], argument: Any) -> Future[R]:
        """Run *read* in a thread; its patience with a database that is away begins now."""
        return super().submit(read, (Patience(PATIENCE), argument))

    def _run(self, read: Callable[[Any, int, Any], R], argument: Any) -> R:
        patience: Patience
        patience, argument = argument
        while True:
            try:
                return self._try(read, argument)
            except psycopg.Error as exc:
                if not is_passing(exc):
                    raise
                self.disconnect()  # what befell one befell them all
                if not patience.wait():
                    raise

    def _try(self, read: Callable[[Any, int, Any], R], argument: Any) -> R:
        connection = self._take() or PostgresConnection(self._connect())
        begin = self._begin_in_order if read in IN_ORDER else self._begin
        try:
            now = self._clock(last_row(connection.raw.execute(begin))[0])
            result = read(connection, now, argument)
            connection.raw.execute("COMMIT")
        except BaseException:
            connection.raw.close()
            raise
        self._give_back(connection)
        return result

    def _close(self, connection: PostgresConnection) -> None:
        connection.raw.close()
