"""``quatrain audit``: Velerian's audit log as lines of JSON."""

from __future__ import annotations

from typing import Any

import click

from .export import opened
from .output import note, progress
from .text import json_text, printable
from .velerian_client import VelerianOptions, velerian_options

__all__ = ["audit"]


@click.command()
@click.option("--action", help="Of this kind only: abp.invoke.")
@click.option("--resource-kind", help="About things of this kind only.")
@click.option("--resource-id", help="About this thing only.")
@click.option("--actor", "actor_user_id", help="By this user only.")
@click.option("--since", metavar="TIME", help="From then on, in ISO-8601.")
@click.option("--until", metavar="TIME", help="Until then, in ISO-8601.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Go on after so many rows.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    default="-",
    help="A file, which appears, readable by you alone, when it is complete.  [default: stdout]",
)
@velerian_options
def audit(velerian: VelerianOptions, offset: int, output: str, **filters: Any) -> None:
    """Export Velerian's audit log, oldest first, a JSON object a line.

    Rows that are added meanwhile come at the end. The number of rows goes to standard error: with
    it as --offset the next export goes on.
    """
    with velerian.open() as client, opened(output) as file:
        total = client.list_audit_log(**filters, limit=1).total
        with progress("Reading the audit log", total=total) as advance:
            rows = client.iter_audit_log(**filters, offset=offset, on_progress=advance)
            for row in rows:
                file.write(f"{json_text(row)}\n")
    where = "" if output == "-" else f" to {printable(output)}"
    note(f"Exported {rows.offset - offset:,} rows{where}. The next export: --offset {rows.offset}")
