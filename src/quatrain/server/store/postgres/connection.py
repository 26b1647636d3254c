"""Connections to PostgreSQL, and what operations see of them.

The driver is psycopg and not an asynchronous one: an operation is a plain function that runs in a
transaction, in a thread of the store; on an event loop each of its statements would be a trip to
the loop and back, and each operation would have to be written a second time.
"""

from __future__ import annotations

import itertools
import re
import select
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import pq
from psycopg.adapt import AdaptersMap, Buffer, Dumper, Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from quatrain.errors import ConfigError
from quatrain.server.problems import Fault, validation_failed

from .errors import of_environment
from .sql import numbered, translated
from .url import PostgresURL

Raw: TypeAlias = psycopg.Connection[tuple[Any, ...]]

LOCK_TIMEOUT: Final = 4
"""Seconds that a statement waits for what somebody else holds."""
WRITER_IDLE: Final = 2
"""Seconds that a transaction may stand still, as that of a stopped process does, before the
database ends it: less than others wait for what it holds."""
READER_IDLE: Final = 300
"""The same where nobody waits: a reader may work for long on what it has read."""
_CONNECT_TIMEOUT: Final = 5
_DEFAULTS: Final = {
    "application_name": "quatrain",
    "connect_timeout": str(_CONNECT_TIMEOUT),
    # a database that vanished without a word is noticed
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
# an answer that has left survives a power cut; a stricter setting than that stays
_SETTINGS: Final = f"""
SET lock_timeout = '{LOCK_TIMEOUT}s';
SET client_min_messages = 'warning';
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""
_QUOTED: Final = re.compile(r"""(["'])(.*?)\1""")
CLOCK: Final = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


class _BoolDumper(Dumper):
    """As SQLite keeps it."""

    oid = Int8Dumper.oid

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


def _adapters() -> AdaptersMap:
    # one type whatever the value: a statement is prepared once, not once for each size of number
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _BoolDumper)
    adapters.register_dumper(str, StrDumper)
    return adapters


_ADAPTERS: Final = _adapters()


def connect(url: PostgresURL, *, idle: float, settings: str = "") -> Raw:
    """A new connection, in no transaction. Raises psycopg.Error, ConfigError for the address.

    *idle* is for how many seconds a transaction may stand still; *settings* are further statements.
    """
    raw: Raw = psycopg.connect("", autocommit=True, context=_Context(), **_parameters(url))
    try:
        ends = f"SET idle_in_transaction_session_timeout = '{idle}s';"
        raw.execute(f"{ends} {settings} {_SETTINGS}".encode())
    except BaseException:
        raw.close()
        raise
    return raw


def why_refused(url: PostgresURL, exc: psycopg.Error) -> str:
    """Why ``connect`` failed, in words that hold no password, nor a part of one.

    In an address that is not written as it should be, a part may be taken for a host or an option,
    which the driver then repeats.
    """
    if exc.sqlstate and (reason := of_environment(exc)) is not None:
        return reason
    given = conninfo_to_dict(url.secret.reveal())
    known = {str(given.get(name)) for name in ("host", "hostaddr", "dbname", "user")}

    def shown(found: re.Match[str]) -> str:
        value = found[2]
        harmless = value in known and "@" not in value
        return found[0] if harmless or value.isdecimal() or value[:1] == "/" else "…"

    return _QUOTED.sub(shown, " ".join(str(exc).split()))


def is_away(url: PostgresURL) -> bool:
    """Whether no server answers there, or one that starts or stops. Raises ConfigError.

    A server that is there and refuses this user, or has no such database, is not away.
    """
    conninfo = make_conninfo("", **_parameters(url))
    return pq.PGconn.ping(conninfo.encode()) in {pq.Ping.NO_RESPONSE, pq.Ping.REJECT}


def _parameters(url: PostgresURL) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(url.secret.reveal())
    except psycopg.Error:
        # what it says repeats parts of the address
        raise ConfigError("the database's address can't be read as one of PostgreSQL's") from None
    return {**_DEFAULTS, **given, "client_encoding": "utf8"}


class _Context:
    """How values are handed over."""

    adapters = _ADAPTERS
    connection = None


def readable(numbers: Iterable[int], seconds: float | None = None) -> set[int]:
    """Which of these files have something to read, or have ended; None waits until one has.

    ``select.select`` takes no number above 1,023, and each client of a platform has one.
    """
    poll = select.poll()
    for number in numbers:
        poll.register(number, select.POLLIN)
    return {number for number, _ in poll.poll(None if seconds is None else seconds * 1000)}


def last_row(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The row of the last of several statements that were sent together."""
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  a SELECT of one value
    return row


class PostgresRows:
    """What came of a statement."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """The rows that were changed."""
        return self._cursor.rowcount

    def fetchone(self) -> Any:
        """The next row; None when there is none."""
        return self._cursor.fetchone() if self._has_rows() else None

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        return self._cursor.fetchall() if self._has_rows() else []

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor if self._has_rows() else ())

    def close(self) -> None:
        """Read no more of them."""
        self._cursor.close()

    def _has_rows(self) -> bool:
        # its description would tell as well, and takes as long to make as the rows
        result = self._cursor.pgresult
        return result is not None and result.nfields > 0


class PostgresConnection:
    """A connection as operations see it; ``written`` are the tables that they have written to."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.written: set[str] = set()
        self._prepared: dict[str, bytes] = {}
        self._numbers = itertools.count()

    def execute(self, sql: str, parameters: Any = (), /) -> PostgresRows:
        """Run one statement."""
        statement = translated(sql)
        if statement.table is not None:
            self.written.add(statement.table)
        try:
            return PostgresRows(self.raw.execute(statement.text.encode(), parameters))
        except psycopg.DataError as exc:
            raise _refused(exc, parameters) from exc

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> PostgresRows:
        """Run one statement for each of the parameters."""
        statement = translated(sql)
        if statement.table is not None:
            self.written.add(statement.table)
        cursor = self.raw.cursor()
        many = list(parameters)
        try:
            cursor.executemany(statement.text.encode(), many)
        except psycopg.DataError as exc:
            raise _refused(exc, many) from exc
        return PostgresRows(cursor)

    def execute_alone(self, sql: str, parameters: dict[str, str | int | None]) -> list[Any]:
        """Run one statement, prepared, as a transaction of its own; the rows.

        The shortest way there is. No parameter's text may hold a NUL.
        """
        values: list[Any] = [
            None if each is None else str(each).encode() for each in parameters.values()
        ]
        names = tuple(parameters)
        pgconn = self.raw.pgconn
        try:
            result = _checked(pgconn.exec_prepared(self._name_of(sql, names), values))
        except psycopg.errors.InvalidSqlStatementName:
            # after a ROLLBACK the driver has the server forget all that was prepared
            self._prepared.clear()
            result = _checked(pgconn.exec_prepared(self._name_of(sql, names), values))
        transformer = Transformer(self.raw)
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def _name_of(self, sql: str, names: tuple[str, ...]) -> bytes:
        name = self._prepared.get(sql)
        if name is None:
            name = (
                f"quatrain_{next(self._numbers)}".encode()
            )  # one that it has not forgotten is taken
            _checked(self.raw.pgconn.prepare(name, numbered(sql, names).encode()))
            self._prepared[sql] = name
        return name


def _checked(result: PGresult) -> PGresult:
    if result.status in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}:
        return result
    if result.error_field(DiagnosticField.SQLSTATE) is None:
        # what the driver says has the address in it
        raise psycopg.OperationalError("the connection was lost")
    raise psycopg.errors.error_from_result(result)


def _refused(exc: psycopg.DataError, parameters: Any) -> Exception:
    """PostgreSQL's text holds no NUL, SQLite's does: who sent one is told so, in a 422."""
    if "\0" not in "".join(_texts(parameters)):
        return exc
    text = "this platform's database can't keep text with a NUL character"
    return validation_failed([Fault(("body",), text, "value")])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
