"""What the management API answers of Velerian, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from .tables import card, payload, table
from .text import cell

__all__ = [
    "RUN_STYLES",
    "abps_table",
    "approvals_table",
    "keys_table",
    "networks_table",
    "run_card",
    "runs_table",
]

#: What the API answers of one thing.
Wire = Mapping[str, Any]

RUN_STYLES: Final = {
    "queued": "cyan",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "blocked": "yellow",
}
_ABP_STYLES: Final = {"draft": "cyan", "deployed": "green", "retired": "dim"}
_APPROVAL_STYLES: Final = {"pending": "yellow", "approved": "green", "rejected": "red"}
_SHOWN: Final = 60
"""Characters of a prompt in a table."""


def keys_table(keys: Iterable[Wire]) -> Table:
    """Keys, one a row; those that are revoked are dim."""
    rows = table(
        *("id", "name", "user", "begins with", "may", "a minute", "created", "expires", "used"),
        "revoked",
    )
    for each in keys:
        style = "" if each["revoked_at"] is None else "dim"
        values = [
            *(each["id"], each["name"], each["user_id"], each["hint"], " ".join(each["scopes"])),
            *(each["rate_per_minute"], each["created_at"], each["expires_at"]),
            *(each["last_used_at"], each["revoked_at"]),
        ]
        rows.add_row(*(cell(value, style=style) for value in values))
    return rows


def abps_table(abps: Iterable[Wire]) -> Table:
    """ABPs, one a row."""
    rows = table("id", "name", "state", "default", "rules", "created", "changed")
    for each in abps:
        rows.add_row(
            cell(each["abp_id"]),
            cell(each["name"]),
            cell(each["state"], style=_ABP_STYLES.get(each["state"], "")),
            *_policy(each),
            cell(each["created_at"]),
            cell(each["updated_at"]),
        )
    return rows


def networks_table(networks: Iterable[Wire]) -> Table:
    """Networks, one a row."""
    rows = table("slug", "name", "model", "default", "rules", "created")
    for each in networks:
        rows.add_row(
            *map(cell, (each["slug"], each["name"], each["model_id"])),
            *_policy(each),
            cell(each["created_at"]),
        )
    return rows


def approvals_table(approvals: Iterable[Wire]) -> Table:
    """Approvals, one a row."""
    rows = table("id", "abp", "invocation", "why", "state", "since", "decided by", "decision")
    for each in approvals:
        rows.add_row(
            *map(cell, (each["approval_id"], each["abp_id"], each["invocation_id"])),
            cell(each["reason"]),
            cell(each["state"], style=_APPROVAL_STYLES.get(each["state"], "")),
            *map(cell, (each["created_at"], each["decided_by"], each["decision"])),
        )
    return rows


def runs_table(runs: Iterable[Wire]) -> Table:
    """Runs, one a row, with the beginnings of what was asked."""
    rows = table("id", "network", "status", "asked", "created", "finished", "why not")
    for each in runs:
        reasons = each["governance_reasons"] if each["status"] == "blocked" else []
        rows.add_row(
            cell(each["run_id"]),
            cell(each["slug"]),
            _status(each),
            cell(_begun(each["prompt_text"])),
            *map(cell, (each["created_at"], each["finished_at"])),
            cell(each["error"] or "; ".join(reasons) or None),
        )
    return rows


def run_card(run: Wire) -> Table:
    """All that is known of one run."""
    passed = {None: None, True: "passed", False: "blocked"}[run["governance_pass"]]
    fields = {
        "id": run["run_id"],
        "network": run["slug"],
        "model": run["model_id"],
        "status": _status(run),
        "policy": passed,
        "reasons": "; ".join(run["governance_reasons"]) or None,
        "asked": run["prompt_text"],
        "metadata": payload(run["metadata"]),
        "answer": run["output_text"],
        "error": run["error"],
        "evidence": run["evidence_pack_id"],
        "created": run["created_at"],
        "started": run["started_at"],
        "finished": run["finished_at"],
    }
    return card(fields)


def _policy(of: Wire) -> tuple[Text, Text]:
    policy = of["policy"]
    return cell(policy.get("default", "allow")), cell(len(policy.get("rules", [])))


def _status(run: Wire) -> Text:
    return cell(run["status"], style=RUN_STYLES.get(run["status"], ""))


def _begun(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
