"""The PostgreSQL database that another one is copied into: in one transaction, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from quatrain.errors import ConfigError

from ..migrations import begin_migrated
from ..postgres.connection import CLOCK, PostgresConnection, connect, last_row, why_refused
from ..postgres.errors import of_environment
from ..postgres.url import PostgresURL
from .copy_source import Content, Table

FILLED: Final = frozenset({"schema_versions", "heartbeat"})
"""The tables that have rows in a new database."""
_KINDS: Final[dict[str, type]] = {"bigint": int, "integer": int, "text": str, "bytea": bytes}
_TYPES: Final[dict[type, str]] = {int: "int8", str: "text", bytes: "bytea"}


class CommitError(ConfigError):
    """It was told to COMMIT, and did not say that it has."""


@contextlib.contextmanager
def opened(url: PostgresURL) -> Iterator[PostgresConnection]:
    """A connection in a transaction in which the tables are there. The caller commits.

    Raises ConfigError for whatever the database can't do, which shows nothing of any row.
    """
    try:
        raw = connect(url, idle=0)
    except psycopg.Error as exc:
        raise ConfigError(f"the database {url} can't be used: {why_refused(url, exc)}") from None
    try:
        try:
            raw.execute("SET statement_timeout = 0")
            connection = PostgresConnection(raw)
            begin_migrated(connection)
            # it stands still while the other database is read, however long that takes
            raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield connection
        finally:
            raw.close()
    except psycopg.Error as exc:
        raise ConfigError(f"the database {url} can't be used: {_reason(exc)}") from exc


def _reason(exc: psycopg.Error) -> str:
    """Not in the server's words: they may repeat what is in a row."""
    if (reason := of_environment(exc)) is not None:
        return reason
    if exc.sqlstate is None:
        return f"it can't take a value ({type(exc).__name__})"
    place = "".join(f", {name}" for name in (exc.diag.table_name, exc.diag.constraint_name) if name)
    return f"it refuses a row (SQLSTATE {exc.sqlstate}{place})"


def now_ms(connection: PostgresConnection) -> int:
    """The database's clock, in milliseconds since 1970."""
    return int(last_row(connection.raw.execute(CLOCK.encode()))[0])


def place_of(connection: PostgresConnection) -> str:
    """What no other database has: its server's number, its own, and its schema's."""
    row = connection.raw.execute(
        "SELECT (SELECT system_identifier FROM pg_control_system()), pg_database.oid,"
        " current_schema()::regnamespace::oid FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    return "/".join(map(str, row or ()))


def tables(connection: PostgresConnection) -> dict[str, dict[str, type]]:
    """The columns of each table, with their kinds; of other programs' tables, too."""
    found: dict[str, dict[str, type]] = {}
    rows = connection.raw.execute(
        "SELECT table_name::text, column_name::text, data_type::text"
        " FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    )
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = _KINDS.get(kind, object)
    return found


def take(connection: PostgresConnection, wanted: Iterable[Table]) -> None:
    """Let nobody else at the tables until the transaction's end, and see that they are empty.

    Raises ConfigError when they are not those of the other database, or hold something.
    """
    there = tables(connection)
    full = []
    for table in wanted:
        if there.get(table.name) != dict(zip(table.columns, table.kinds, strict=True)):
            raise ConfigError(f"the table {table.name} is none of this quatrain's")
        name = Identifier(table.name)
        connection.raw.execute(SQL("LOCK TABLE {}").format(name))
        some = SQL("SELECT FROM {} LIMIT 1").format(name)
        if table.name not in FILLED and connection.raw.execute(some).rowcount:
            full.append(table.name)
    if full:
        raise ConfigError(
            f"the target is not empty: there is something in {', '.join(sorted(full))}; copy into"
            " a database that is new (CREATE DATABASE)"
        )


def fill(
    connection: PostgresConnection,
    table: Table,
    rows: Iterable[tuple[Any, ...]],
    on_row: Callable[[], object],
) -> None:
    """Write the rows into an empty table; numbers it gives out later are above theirs."""
    name, raw = Identifier(table.name), connection.raw
    if table.name in FILLED:
        raw.execute(SQL("DELETE FROM {}").format(name))
    with raw.cursor().copy(SQL("COPY {} ({}) FROM STDIN").format(name, _columns(table))) as copy:
        for row in rows:
            copy.write_row(row)
            on_row()
    for column in _growing(connection, table):
        highest = SQL("SELECT coalesce(max({}), 0) FROM {}").format(Identifier(column), name)
        (number,) = raw.execute(highest).fetchone() or (0,)
        # unlike setval, this is taken back with the transaction
        restart = SQL("ALTER TABLE {} ALTER COLUMN {} RESTART WITH {}")
        raw.execute(restart.format(name, Identifier(column), Literal(max(number + 1, 1))))
    raw.execute(SQL("ANALYZE {}").format(name))


def _growing(connection: PostgresConnection, table: Table) -> list[str]:
    statement = (
        "SELECT column_name::text FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = %s AND is_identity = 'YES'"
    )
    return [name for (name,) in connection.raw.execute(statement, [table.name])]


def content_of(
    connection: PostgresConnection, table: Table, on_row: Callable[[], object]
) -> Content:
    """What is in the table now."""
    content = Content()
    statement = SQL("COPY {} ({}) TO STDOUT").format(Identifier(table.name), _columns(table))
    with connection.raw.cursor().copy(statement) as copy:
        copy.set_types([_TYPES[kind] for kind in table.kinds])
        for row in copy.rows():
            content.add(row)
            on_row()
    return content


def commit(connection: PostgresConnection) -> None:
    """Raises CommitError when it is not known whether it has."""
    try:
        connection.raw.execute("COMMIT")
    except psycopg.Error as exc:
        raise CommitError(_reason(exc)) from exc


def _columns(table: Table) -> Composed:
    return SQL(", ").join(map(Identifier, table.columns))
