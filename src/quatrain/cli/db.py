"""``quatrain db``: a database as a whole, moved to another place."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from quatrain.server.store import PostgresURL, store_on
from quatrain.server.store.moving import copy_source
from quatrain.server.vendo.secretkey import VARIABLE, KeyFile, key_source

from .options import Database, DatabaseType
from .output import note, progress
from .text import printable

__all__ = ["db"]


@click.group()
def db() -> None:
    """Move a database to PostgreSQL."""


@db.command()
@click.argument("source", type=DatabaseType(), metavar="SOURCE")
@click.argument("target", type=DatabaseType(), metavar="TARGET", envvar="QUATRAIN_DATABASE")
def copy(source: Database, target: Database) -> None:
    """Move all of SOURCE, a file, to TARGET, an empty PostgreSQL database.

    Stop the platform before: a file that is in use is refused. Everything of all four platforms is
    copied in one transaction, compared on both sides, and there when this has ended well; else
    nothing is. SOURCE is then marked as moved: it stays as it is, and nobody can serve or change it
    any more, as two ledgers that both act would do everything twice. When this was interrupted, run
    it again.

    An address with a password is better given in the environment, as QUATRAIN_DATABASE, or without
    it, and the password in ~/.pgpass: others can see command lines.

    The key that Vendo's tokens are sealed with is not copied, and has to be set for the platform.
    """
    if isinstance(source, PostgresURL):
        raise click.UsageError("from PostgreSQL nothing is copied here: pg_dump does.")
    if not isinstance(target, PostgresURL):
        raise click.UsageError(
            "TARGET is a PostgreSQL database, postgresql://USER@HOST/NAME; `quatrain backup` copies"
            " to a file."
        )
    store_on(target)  # raises when the driver is missing
    from quatrain.server.store.moving.copying import move  # noqa: PLC0415  it needs the driver

    with progress("Moving", total=None) as advance:
        done = move(source, target, on_progress=lambda number, _: advance(number))
    names = f"{printable(str(source))} to {printable(str(target))}"
    if done.already:
        note(f"All of {names}: that was done before.")
    else:
        note(f"Moved {names}: {done.rows:,} rows in {done.tables} tables, compared.")
    note(f"{printable(str(source))} can't be served or changed any more; keep it as a backup.")
    _tell_of_key(source)


def _tell_of_key(source: Path) -> None:
    key = key_source(None, source)
    if not isinstance(key, KeyFile):
        note(f"Vendo's tokens stay sealed with {VARIABLE}: keep it set for the platform.")
    elif key.path.exists():
        file = shlex.quote(str(key.path))
        note(
            "Vendo's tokens stay sealed with the key in a file, which PostgreSQL has none of: give"
            f' it to the platform as {VARIABLE}="$(cat {printable(file)})"'
        )


@db.command()
@click.argument("database", type=DatabaseType(), metavar="DATABASE")
@click.option("--yes", is_flag=True, help="Don't ask.")
def reopen(database: Database, yes: bool) -> None:
    """Let DATABASE, a file that was moved, be used again, as it was then.

    Only for who knows that nobody uses the one that it was moved to, or ever did: what was done
    there since is not known here, and would be done again.
    """
    if isinstance(database, PostgresURL):
        raise click.UsageError("DATABASE is a file that was moved.")
    if not yes:
        click.confirm(
            "Is it sure that nothing is done with the database that it was moved to?",
            abort=True,
            err=True,
        )
    was = copy_source.reopen(database)
    note(f"{printable(str(database))} can be served again; {printable(was)} must not be.")
