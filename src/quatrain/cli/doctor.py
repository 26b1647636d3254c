"""``quatrain doctor``: what is wrong, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import click

from quatrain.errors import ConfigError
from quatrain.server.store import store_on

from .checkup import Finding, Level, here
from .checkup_database import database as database_findings
from .checkup_platforms import platforms
from .options import Database, DatabaseType, json_option
from .output import print_json, waiting
from .text import printable

__all__ = ["doctor"]

_MARKS: Final = {
    Level.OK: ("ok", "green"),
    Level.WARNING: ("warning", "yellow"),
    Level.ERROR: ("error", "red"),
}


@click.command()
@click.option(
    "--database",
    type=DatabaseType(dir_okay=True),
    envvar="QUATRAIN_DATABASE",
    show_envvar=True,
    help="Look at this file or postgresql://USER@HOST/NAME, too, where the platform runs.",
)
@json_option
def doctor(database: Database | None, as_json: bool) -> None:
    """Tell what is wrong with the set-up, and how to mend it.

    Asks each platform that the environment names: does it answer, does it know the key and what may
    that do, does its clock agree, which version is it. With --database it looks at the file: who
    may read it, its schema, the room on its disk, the key that Vendo's tokens are sealed with. Or
    at the PostgreSQL database: its server, what the user may do, its schema, its clock, what a
    crash could take back, how many connections are left, that key.
    Nothing is changed. The exit status is 1 when there is an error; warnings are none.
    """
    with waiting("Looking"):
        found = [*here(), *platforms()]
        if database is not None:
            found += _look_at(database)
    if as_json:
        print_json([attrs.asdict(finding) for finding in found])
    else:
        for finding in found:
            _print(finding)
    if any(finding.level is Level.ERROR for finding in found):
        raise click.exceptions.Exit(1)


def _look_at(database: Database) -> Iterator[Finding]:
    if isinstance(database, Path):
        yield from database_findings(database)
        return
    try:
        store_on(database)  # raises when the driver is missing
    except ConfigError as exc:
        yield Finding("database", Level.ERROR, str(exc), "install it where the platform runs")
        return
    from .checkup_postgres import database as postgres_findings  # noqa: PLC0415  it needs the driver

    yield from postgres_findings(database)


def _print(finding: Finding) -> None:
    word, color = _MARKS[finding.level]
    mark = click.style(f"{word:8}", fg=color)
    click.echo(f"{mark} {finding.area}: {printable(finding.what)}")
    if finding.fix is not None:
        click.echo(f"{'':9}fix: {printable(finding.fix)}")
