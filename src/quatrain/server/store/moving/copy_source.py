"""A database file that is copied to another kind of database: nobody else's meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import graphlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from quatrain.errors import ConfigError

from ..errors import of_environment
from ..migrations import version_of
from ..sqlite.files import BUSY_TIMEOUT_MS, DatabaseFile
from . import moved

_KINDS: Final[dict[str, type]] = {"INTEGER": int, "TEXT": str, "BLOB": bytes}
_SHOWN: Final = 3
"""Flaws that are told of."""
_MASK: Final = 2**128 - 1


@attrs.frozen
class Table:
    """A table, as both databases have it."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[type, ...]
    """Of the columns: int, str or bytes."""


class Content:
    """How many rows there are, and a checksum of them that does not depend on their order."""

    def __init__(self) -> None:
        self.rows = 0
        self.checksum = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Count in one row: a tuple of int, str, bytes and None."""
        self.rows += 1
        found = hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.checksum = (self.checksum + int.from_bytes(found)) & _MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content):
            return NotImplemented
        return (self.rows, self.checksum) == (other.rows, other.checksum)

    __hash__ = None  # type: ignore[assignment]  # it grows


class Undecodable:
    """Stands for text that is not UTF-8."""


def _text(raw: bytes) -> str | Undecodable:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Undecodable()


@contextlib.contextmanager
def alone_on(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction that writes, when nobody else has the database open.

    Whoever opens it then waits until this has ended. The caller commits; what is not committed is
    rolled back. Raises ConfigError for a file that is none of ours, or that somebody uses.
    """
    try:
        with _locked(path) as file:
            connection = file.connect()
            try:
                connection.text_factory = _text
                _be_alone(connection, path)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as exc:
        raise ConfigError(f"{path} can't be used: {of_environment(exc) or exc}") from exc


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[DatabaseFile]:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise ConfigError(f"there is no database {path}") from None
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path} is no file")
    file = DatabaseFile(path)
    lock = file.open_lock()
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(path) from None
        yield file
    finally:
        os.close(lock)


def _be_alone(connection: sqlite3.Connection, path: Path) -> None:
    ours = "SELECT count(*) FROM sqlite_master WHERE name = 'schema_versions'"
    if not connection.execute(ours).fetchone()[0]:
        raise ConfigError(f"{path} is not a quatrain database")
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        # only who is alone may end the log; without it the file that stays behind is complete, too
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _in_use(path) from exc
        raise
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _in_use(path: Path) -> ConfigError:
    return ConfigError(f"{path} is in use: stop the platform, and whatever else has it open")


def mark_of(connection: sqlite3.Connection) -> moved.Mark | None:
    """Where the database was moved to; None when it was not. Raises ConfigError."""
    return None if version_of(connection) < moved.SINCE else moved.Mark.of(connection)


def reopen(database: Path) -> str:
    """Let a file that was moved be used again; answers where it had gone. Raises ConfigError."""
    with alone_on(database) as connection:
        mark = mark_of(connection)
        if mark is None:
            raise ConfigError(f"{database} was not moved")
        moved.reopen(connection)
        connection.execute("COMMIT")
    return mark.to


def tables(connection: sqlite3.Connection) -> list[Table]:
    """Those of the database, each after those that its rows refer to. Raises ConfigError."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
        " ORDER BY name"
    )
    refers = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?) WHERE "table" <> ?'
    before = {
        name: {other for (other,) in connection.execute(refers, (name, name))}
        for (name,) in names.fetchall()
    }
    return [_table(connection, name) for name in graphlib.TopologicalSorter(before).static_order()]


def _table(connection: sqlite3.Connection, name: str) -> Table:
    found = connection.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()
    if strange := [column for column, kind in found if kind not in _KINDS]:
        raise ConfigError(f"the column {strange[0]} of the table {name} is none of this quatrain's")
    columns, kinds = zip(*found, strict=True)
    return Table(name, columns, tuple(_KINDS[kind] for kind in kinds))


def read(connection: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """The rows of a table."""
    statement = f"SELECT {_columns(table)} FROM {_quoted(table.name)}"  # noqa: S608  our own names
    return iter(connection.execute(statement))


def count(connection: sqlite3.Connection, table: Table) -> int:
    """How many rows a table has."""
    statement = f"SELECT count(*) FROM {_quoted(table.name)}"  # noqa: S608  our own names
    (number,) = connection.execute(statement).fetchone()
    return int(number)


def look_over(
    connection: sqlite3.Connection, of: Iterable[Table], on_row: Callable[[], object]
) -> dict[str, Content]:
    """What each of the tables holds. Raises ConfigError for what no other database can hold."""
    flaws: list[str] = []
    contents: dict[str, Content] = {}
    for table in of:
        content = contents[table.name] = Content()
        of_table = _quoted(table.name)
        statement = f"SELECT rowid, {_columns(table)} FROM {of_table}"  # noqa: S608  our own names
        for number, *values in connection.execute(statement):
            row = tuple(values)
            content.add(row)
            for column, kind, value in zip(table.columns, table.kinds, row, strict=True):
                if value is not None and (flaw := _flaw(value, kind)) is not None:
                    flaws.append(f"{table.name}, row {number}, {column}: {flaw}")
            on_row()
    for name, number, other, _ in connection.execute("PRAGMA foreign_key_check"):
        flaws.append(f"{name}, row {number}: what it refers to in {other} is missing")
    if flaws:
        more = f"; and {len(flaws) - _SHOWN:,} more" if len(flaws) > _SHOWN else ""
        shown = "; ".join(flaws[:_SHOWN])
        raise ConfigError(f"PostgreSQL can't hold what is in the database: {shown}{more}")
    return contents


def _flaw(value: Any, kind: type) -> str | None:
    if isinstance(value, Undecodable):
        return "text that is not UTF-8"
    if type(value) is not kind:
        return f"{_WORDS.get(type(value), 'something')} where {_WORDS[kind]} should be"
    if isinstance(value, str) and "\0" in value:
        return "text with a NUL character"
    return None


_WORDS: Final = {int: "a whole number", str: "text", bytes: "bytes", float: "a fraction"}


def _columns(table: Table) -> str:
    return ", ".join(map(_quoted, table.columns))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
