"""``quatrain evidence``: check a file of evidence, and see what it holds, all offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import attrs
import click
from rich.table import Table

from quatrain.errors.velerian import EvidenceError
from quatrain.evidence import EvidenceReport, read_packs, verify_evidence

from .options import json_option
from .output import print_json, results, waiting
from .tables import table
from .text import cell, printable

__all__ = ["evidence"]

_file: Final = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def evidence() -> None:
    """Check evidence that was exported, and see what it holds."""


@evidence.command()
@_file
@click.option(
    "--head",
    metavar="HASH",
    help="A chain hash that was kept when a pack was made; a link of FILE must have it.",
)
@json_option
def verify(file: Path, head: str | None, as_json: bool) -> None:
    """Recompute the chain of FILE, a JSON or ZIP export; it fails where the chain is broken.

    By itself a file proves that it is whole. That it is also what the platform wrote at the time,
    up to a certain pack, is proven with that pack's chain hash in --head.
    """
    try:
        with waiting("Verifying"):
            report = verify_evidence(file, head=head)
    except EvidenceError as exc:
        if not as_json:
            raise
        print_json({"verified": False, "reason": exc.reason, "position": exc.position})
        raise click.exceptions.Exit(1) from exc
    if as_json:
        print_json({"verified": True, **attrs.asdict(report)})
    else:
        click.echo(_told(file, report))


def _told(file: Path, report: EvidenceReport) -> str:
    where = f"{report.first_sequence} to {report.last_sequence}" if report.count else "none"
    return (
        f"{printable(str(file))} verifies: {report.packs:,} of {report.count:,} packs are in it"
        f" (sequence {where}, tenant {printable(report.tenant_id)}); its head is {report.head}"
    )


@evidence.command()
@_file
@json_option
def show(file: Path, as_json: bool) -> None:
    """List the packs in FILE, if it verifies."""
    with waiting("Reading"):
        packs = list(read_packs(file))
    if as_json:
        print_json(packs)
    else:
        results().print(_packs_table(packs))


def _packs_table(packs: list[dict[str, Any]]) -> Table:
    rows = table("#", "time", "kind", "subject", "outcome")
    for pack in packs:
        outcome = pack.get("outcome", pack.get("status"))
        values = [pack["sequence"], *map(pack.get, ("created_at", "kind", "subject_id")), outcome]
        rows.add_row(*map(cell, values))
    return rows
