"""Bring a database to the newest schema: numbered steps, all in one transaction."""

from __future__ import annotations

import sqlite3
from typing import Final

from quatrain.errors import ConfigError

from . import queries

_SQL: Final = queries.load("store")
_TYPES: Final = {
    # the newest row of the ledger is never deleted, so a plain rowid grows; AUTOINCREMENT costs a
    # write
    "id": "INTEGER PRIMARY KEY",
    "int64": "INTEGER",
    "bytes": "BLOB",
}


def newest() -> int:
    """The schema version this code works with."""
    return queries.migrations()[-1][0]


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that are missing. Racing processes wait for each other.

    Raises ConfigError for a database that a newer version has written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _run_missing(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a database that has been migrated once."""
    (current,) = connection.execute(_SQL["current_version"]).fetchone()
    return int(current)


def _run_missing(connection: sqlite3.Connection) -> None:
    connection.execute(_SQL["create_versions"])
    current = version_of(connection)
    if current > newest():
        raise ConfigError(
            f"the database has schema version {current}, and this quatrain knows up to "
            f"{newest()}: use the newer quatrain that wrote it"
        )
    for number, name, statements in queries.migrations():
        if number > current:
            for statement in statements:
                connection.execute(statement.format(**_TYPES))
            connection.execute(_SQL["add_version"], {"version": number, "name": name})
