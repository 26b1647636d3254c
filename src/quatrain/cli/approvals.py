"""``quatrain approvals``: what Velerian holds until a person decides."""

from __future__ import annotations

from typing import Any, Final

import click

from .management import ManagementOptions, management_options
from .options import json_option, runner_option
from .output import note, print_json, results, waiting
from .text import printable
from .velerian_tables import approvals_table

__all__ = ["approvals"]

_by_option: Final = click.option(
    "--by", metavar="NAME", help="Who decides, as the audit log has it."
)


@click.group()
def approvals() -> None:
    """Decide what Velerian holds until a person does."""


@approvals.command("list")
@click.option("--all", "everything", is_flag=True, help="What was decided, too.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=50,
    show_default=True,
    help="The oldest so many.",
)
@json_option
@management_options
def list_(platform: ManagementOptions, everything: bool, limit: int, as_json: bool) -> None:
    """List what waits for a person, oldest first."""
    state = None if everything else "pending"
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velerian", "approvals", state=state, limit=limit)
    if as_json:
        print_json(found["items"])
    else:
        results().print(approvals_table(found["items"]))
    if found["total"] > limit:
        note(f"There are {found['total']:,}: raise --limit.")


@approvals.command()
@click.argument("approval_id")
@click.option("--reason", help="Why.")
@_by_option
@runner_option
@management_options
def approve(
    platform: ManagementOptions,
    approval_id: str,
    reason: str | None,
    by: str | None,
    runner: str,
) -> None:
    """Let the invocation that APPROVAL_ID holds go on to its end.

    The model is asked now: of a database file, by this command, with --runner; of a platform that
    is served, by that.
    """
    body = {"reason": reason, "by": by}
    with waiting("Asking the platform"), platform.open(runner=runner) as client:
        decided = client.post("velerian", "approvals", approval_id, "approve", **body)
    note(f"{decided['approval_id']} is approved: {_held(decided)} has gone on to its end.")


@approvals.command()
@click.argument("approval_id")
@click.option("--reason", required=True, help="Why.")
@_by_option
@management_options
def reject(platform: ManagementOptions, approval_id: str, reason: str, by: str | None) -> None:
    """Deny the invocation that APPROVAL_ID holds."""
    body = {"reason": reason, "by": by}
    with waiting("Asking the platform"), platform.open() as client:
        decided = client.post("velerian", "approvals", approval_id, "reject", **body)
    note(f"{decided['approval_id']} is rejected: {_held(decided)} is denied.")


def _held(approval: dict[str, Any]) -> str:
    return f"{approval['invocation_id']} of {printable(approval['abp_id'])}"
