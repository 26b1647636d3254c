"""``quatrain prune``: forget effects that are over."""

from __future__ import annotations

import re
from typing import Final

import click

from quatrain.server.ledger.prune import Over
from quatrain.server.ledger.prune import prune as forget
from quatrain.server.store import store_on

from .options import Database, check_there, database_option
from .output import note, progress

__all__ = ["prune"]

_HOUR: Final = 3_600_000
_UNITS: Final = {"h": _HOUR, "d": 24 * _HOUR, "w": 7 * 24 * _HOUR}


def _age(_: click.Context, __: click.Parameter, value: str) -> int:
    """Milliseconds of ``12h``, ``30d`` or ``8w``."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no age such as 12h, 30d or 8w.")
    return int(found[1]) * _UNITS[found[2]]


@click.command()
@click.option(
    "--older-than",
    required=True,
    metavar="AGE",
    callback=_age,
    help="What has not changed for so long: 12h, 30d, 8w.",
)
@click.option("--failed", is_flag=True, help="What failed or was reset, too.")
@click.option("--namespace", help="Of this namespace only.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@database_option
def prune(
    database: Database, older_than: int, failed: bool, namespace: str | None, dry_run: bool
) -> None:
    """Forget effects that were committed long ago, with their audit trails.

    Those of all tenants. A key that is forgotten and comes again is done again: keep effects for
    longer than anybody may retry one. Its fence token is then higher than any that it had before.
    What runs, or may have happened, is never forgotten. The platform may go on serving; a file does
    not shrink, its room is used again. Back it up before.
    """
    check_there(database)
    with store_on(database) as store, progress("Forgetting", total=None) as advance:
        over = Over(before=store.now_ms() - older_than, failed=failed, namespace=namespace)
        done = forget(store, over, dry_run=dry_run, on_progress=advance)
    note(f"{done:,} effects {'would be' if dry_run else 'are'} forgotten.")
