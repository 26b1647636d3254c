"""``quatrain migrate``: a database's tables, brought to what this version needs."""

from __future__ import annotations

import click

from quatrain.server.settings import Settings
from quatrain.server.store import store_on
from quatrain.server.store.migrations import newest

from .options import Database, database_option
from .output import note
from .text import printable

__all__ = ["migrate"]


@click.command()
@database_option
def migrate(database: Database) -> None:
    """Bring a database's tables to what this version needs.

    They are created when there are none. Every command that uses a database does so by itself: this
    is for who wants it done before a new version is begun to be served. All of it happens, or
    nothing; who comes second waits. A database that a newer version has written is refused.
    """
    with store_on(Settings(database=database).database):
        note(f"{printable(str(database))} has schema version {newest()}.")
