"""``quatrain doctor``: what is wrong, and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs
import click

from .checkup import Finding, Level, here
from .checkup_database import database as database_findings
from .checkup_platforms import platforms
from .options import json_option
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
    type=click.Path(path_type=Path),
    envvar="QUATRAIN_DATABASE",
    show_envvar=True,
    help="Look at this database file, too, where the platform runs.",
)
@json_option
def doctor(database: Path | None, as_json: bool) -> None:
    """Tell what is wrong with the set-up, and how to mend it.

    Asks each platform that the environment names: does it answer, does it know the key and what may
    that do, does its clock agree, which version is it. With --database it looks at the file: who
    may read it, its schema, the room on its disk, the key that Vendo's tokens are sealed with.
    Nothing is changed. The exit status is 1 when there is an error; warnings are none.
    """
    with waiting("Looking"):
        found = [*here(), *platforms()]
        if database is not None:
            found += database_findings(database)
    if as_json:
        print_json([attrs.asdict(finding) for finding in found])
    else:
        for finding in found:
            _print(finding)
    if any(finding.level is Level.ERROR for finding in found):
        raise click.exceptions.Exit(1)


def _print(finding: Finding) -> None:
    word, color = _MARKS[finding.level]
    mark = click.style(f"{word:8}", fg=color)
    click.echo(f"{mark} {finding.area}: {printable(finding.what)}")
    if finding.fix is not None:
        click.echo(f"{'':9}fix: {printable(finding.fix)}")
