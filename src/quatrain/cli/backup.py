"""``quatrain backup``: a copy of a database that is in use."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from quatrain.server.store import PostgresURL
from quatrain.server.store.sqlite.backup import backup as copy_database
from quatrain.server.vendo.secretkey import KeyFile, key_source

from .options import Database, check_there, database_option
from .output import note, progress
from .text import printable

__all__ = ["backup"]


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@database_option
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup(file: Path, database: Database, force: bool) -> None:
    """Copy a database that is in use to FILE, as it is at this moment.

    Nobody waits for it. The copy is checked, and FILE is there when it is whole, readable by you
    alone. To restore it, stop the platform and put it in the database's place, with no file beside
    it whose name ends in -wal or -shm.

    A PostgreSQL database is copied by its own program, pg_dump.

    The key that Vendo's tokens are sealed with is not in it: keep that, too, and not in one place.
    """
    if isinstance(database, PostgresURL):
        # its own program knows it best
        raise click.UsageError(
            "a PostgreSQL database is copied by its own program:"
            f' pg_dump --format=custom --file={shlex.quote(str(file))} "$QUATRAIN_DATABASE"'
            " (and pg_restore brings it back). Others can see command lines: keep its password in"
            " ~/.pgpass."
        )
    check_there(database)
    with progress("Copying", total=None) as advance:
        size = copy_database(
            database, file, replace=force, on_progress=lambda done, _: advance(done)
        )
    note(f"Copied {printable(str(database))} to {printable(str(file))}: {size:,} bytes, checked.")
    key = key_source(None, database)
    if isinstance(key, KeyFile) and key.path.exists():
        note(
            f"Vendo's tokens in it are sealed with the key in {printable(str(key.path))}, which is"
            " not: keep a copy of that in another place."
        )
