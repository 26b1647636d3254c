"""What the store raises when it can't do its work."""

from __future__ import annotations

import sqlite3
from typing import Final

from quatrain.errors import ConfigError, QuatrainError


class StoreUnavailableError(QuatrainError):
    """The database can't be used now: disk full, locked, closed, moved away, or too busy.

    Whether a change that was under way has been made is not known: ask again, the same way.
    """

    passing: bool = False
    """Whether it was about the way to the database: once that is open, all is well again."""


class DatabaseAwayError(ConfigError):
    """A store could not be opened as nothing answers at its address, or not yet: it may later."""


WAS_MOVED: Final = "the database was moved"
"""What the triggers of one that was moved say."""
_ENVIRONMENT: Final = {
    sqlite3.SQLITE_PERM: "the database may not be accessed",
    sqlite3.SQLITE_BUSY: "the database is locked by another program",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_NOMEM: "the database ran out of memory",
    sqlite3.SQLITE_READONLY: "the database can't be written",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the database file can't be opened",
    sqlite3.SQLITE_PROTOCOL: "the database is locked by another program",
    sqlite3.SQLITE_NOTADB: "the file is not a quatrain database",
}
"""The surroundings failed; the statement was not at fault and may work later."""


def of_environment(exc: BaseException) -> str | None:
    """What failed around the database, in words; None when *exc* is of another kind."""
    if isinstance(exc, OSError):
        return f"the database's files can't be used: {exc.strerror or exc}"
    code = getattr(exc, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER and str(exc) == WAS_MOVED:
        return "the database was moved: nothing in it may be changed any more"
    # the low byte is the kind; the rest says more than a caller could use
    return None if code is None else _ENVIRONMENT.get(code & 0xFF)
