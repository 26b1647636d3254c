"""The mark on a database that was copied to another place: nobody goes on with it where it was.

Two ledgers that both act would do everything twice. So the mark is more than a note: it keeps
platforms from opening the database, and triggers refuse changes of whoever has it open already, or
is of a version that knows no mark.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final, Self

import attrs

from quatrain.errors import ConfigError

from ..connection import Connection
from ..errors import WAS_MOVED

SINCE: Final = 2
"""The schema version from which on a database can hold the mark: its facts came then."""
_MOVED: Final = "moved"
_ARRIVED: Final = "moved_here"
_NAME: Final = "quatrain_moved_"
"""What the triggers' names begin with."""
_EVENTS: Final = ("INSERT", "UPDATE", "DELETE")


@attrs.frozen
class Mark:
    """Where a database has gone."""

    to: str
    """As it may be shown: the hosts and the name."""
    place: str
    """Which database that is, however it is addressed: as it tells by itself."""
    at: int
    """Milliseconds since 1970."""
    token: str
    """The same in both databases."""
    ended: bool
    """Whether it is known that everything is there."""

    @classmethod
    def of(cls, connection: Connection) -> Self | None:
        """That of a database; None for one that was not moved. Raises ConfigError."""
        text = _fact(connection, _MOVED)
        try:
            return None if text is None else cls(**json.loads(text))
        except (TypeError, ValueError):
            raise ConfigError(
                "the database was moved, and has a mark that this quatrain does not know: use the"
                " newer one that moved it"
            ) from None


def refuse(connection: Connection) -> None:
    """Raises ConfigError when the database was moved."""
    mark = Mark.of(connection)
    if mark is None:
        return
    if mark.ended:
        raise ConfigError(
            f"this database was moved to {mark.to}: use that one (`quatrain db reopen` is for who"
            " knows that nobody does)"
        )
    raise ConfigError(
        f"this database is being moved to {mark.to}, or that was interrupted: run the same"
        " `quatrain db copy` again"
    )


def close(connection: sqlite3.Connection, mark: Mark) -> None:
    """Let nobody change the database any more: in the transaction of the caller's."""
    _set_fact(connection, _MOVED, json.dumps(attrs.asdict(mark)))
    for table in _tables(connection):
        for event in _EVENTS:
            connection.execute(
                f'CREATE TRIGGER "{_NAME}{event}_{table}" BEFORE {event} ON "{table}"'
                f" BEGIN SELECT RAISE(ABORT, '{WAS_MOVED}'); END"
            )


def note_end(connection: sqlite3.Connection, mark: Mark) -> None:
    """It is known now that everything is in the other place."""
    _set_fact(connection, _MOVED, json.dumps(attrs.asdict(attrs.evolve(mark, ended=True))))


def reopen(connection: sqlite3.Connection) -> None:
    """Take the mark away: in the transaction of the caller's."""
    found = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, ?) = ?"
    for (name,) in connection.execute(found, (len(_NAME), _NAME)).fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("DELETE FROM facts WHERE name = ?", (_MOVED,))


def arrived(connection: Connection) -> str | None:
    """The token of the mark on the database that this one was copied from."""
    return _fact(connection, _ARRIVED)


def note_arrival(connection: Connection, mark: Mark) -> None:
    """Say that *mark* tells of this database."""
    _set_fact(connection, _ARRIVED, mark.token)


def _fact(connection: Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _set_fact(connection: Connection, name: str, value: str) -> None:
    connection.execute("DELETE FROM facts WHERE name = ?", (name,))
    connection.execute("INSERT INTO facts (name, value) VALUES (?, ?)", (name, value))


def _tables(connection: sqlite3.Connection) -> list[Any]:
    """All but the one that holds the mark."""
    statement = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
        " AND name <> 'facts'"
    )
    return [name for (name,) in connection.execute(statement).fetchall()]
