"""What the management API answers, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.table import Table

from .tables import card, payload, table
from .text import cell, printable

__all__ = [
    "DELIVERY_STYLES",
    "account_card",
    "coverage",
    "deliveries_table",
    "endpoints_table",
    "installs_table",
    "modules_table",
    "tasks_table",
    "team_table",
]

#: What the API answers of one thing.
Wire = Mapping[str, Any]

DELIVERY_STYLES: Final = {
    "PENDING": "cyan",
    "DELIVERED": "green",
    "FAILED": "red",
    "CANCELLED": "magenta",
}


def account_card(account: Wire) -> Table:
    """All that is known of an account."""
    return card({**account, "profile": payload(account["profile"])})


def installs_table(installs: Iterable[Wire]) -> Table:
    """Installs, one a row; those that are revoked are dim."""
    rows = table(
        *("id", "extension", "name", "developer", "begins with", "may", "sandbox"),
        *("created", "used", "revoked"),
    )
    for each in installs:
        values = [
            *(each["install_id"], each["extension_slug"], each["extension_name"]),
            *(each["developer"], each["hint"], " ".join(each["scopes"])),
            *("yes" if each["sandbox"] else None, each["created_at"], each["last_used_at"]),
            each["revoked_at"],
        ]
        _add(rows, values, gone=each["revoked_at"] is not None)
    return rows


def tasks_table(tasks: Iterable[Wire]) -> Table:
    """Tasks, one a row; those that are done are dim."""
    fields = ("action", "module_source", "category", "timeframe", "quadrant", "assignee")
    rows = table("id", *(field.partition("_")[0] for field in fields), "deadline", "completed")
    for each in tasks:
        names = ("task_id", *fields, "deadline", "completed_at")
        _add(rows, [each[name] for name in names], gone=each["completed_at"] is not None)
    return rows


def team_table(team: Iterable[Wire]) -> Table:
    """The team, one a row."""
    rows = table("name", "role", "email")
    for each in team:
        _add(rows, [each["name"], each["role"] or None, each["email"] or None])
    return rows


def modules_table(modules: Iterable[Wire]) -> Table:
    """Modules, one a row."""
    rows = table("code", "status", "output", "completed")
    for each in modules:
        output = "yes" if each["has_output"] else None
        _add(rows, [each["code"], each["status"], output, each["completed_at"]])
    return rows


def endpoints_table(endpoints: Iterable[Wire]) -> Table:
    """Where events go, one a row; endpoints that were removed are dim."""
    rows = table("id", "url", "events", "extension", "created", "removed")
    for each in endpoints:
        events = "every event" if each["events"] == ["*"] else " ".join(each["events"])
        values = [each["endpoint_id"], each["url"], events, each["extension_slug"]]
        times = [each["created_at"], each["removed_at"]]
        _add(rows, [*values, *times], gone=each["removed_at"] is not None)
    return rows


def coverage(endpoint: Wire) -> str:
    """Which events it gets, in words."""
    events = "every event" if endpoint["events"] == ["*"] else ", ".join(endpoint["events"])
    return printable(f"{events} of {endpoint['extension_slug']}")


def deliveries_table(deliveries: Iterable[Wire]) -> Table:
    """Deliveries, one a row, with what came of the last attempt."""
    rows = table("id", "event", "to", "status", "attempts", "created", "next try", "last answer")
    for each in deliveries:
        status = cell(each["status"], style=DELIVERY_STYLES.get(each["status"], ""))
        values = [each["attempts"], each["created_at"], each["next_attempt_at"]]
        rows.add_row(
            *map(cell, (each["delivery_id"], each["event"], each["endpoint_id"])),
            status,
            *map(cell, [*values, each["last_error"] or each["last_status"]]),
        )
    return rows


def _add(rows: Table, values: Sequence[object], *, gone: bool = False) -> None:
    rows.add_row(*(cell(value, style="dim" if gone else "") for value in values))
