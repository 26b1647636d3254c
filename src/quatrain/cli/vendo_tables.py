"""What the management API answers of Vendo, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.table import Table

from .tables import table
from .text import cell

__all__ = ["apps_table", "connections_table", "keys_table"]

#: What the API answers of one thing.
Wire = Mapping[str, Any]

_STYLES: Final = {
    "connected": "green",
    "pending_setup": "cyan",
    "needs_reauth": "yellow",
    "error": "red",
    "revoked": "dim",
}


def connections_table(connections: Iterable[Wire]) -> Table:
    """Connections, one a row."""
    rows = table("id", "slug", "user", "status", "profile", "apps", "connected", "why not")
    for each in connections:
        rows.add_row(
            *map(cell, (each["connection_id"], each["slug"], each["user_id"])),
            cell(each["status"], style=_STYLES.get(each["status"], "")),
            *map(cell, (each["profile"], " ".join(each["apps"]), each["connected_at"])),
            cell(each["error_message"]),
        )
    return rows


def apps_table(apps: Iterable[Wire]) -> Table:
    """Apps, one a row."""
    rows = table("app", "name", "created")
    for each in apps:
        rows.add_row(*map(cell, (each["app"], each["name"], each["created_at"])))
    return rows


def keys_table(keys: Iterable[Wire]) -> Table:
    """Keys, one a row; those that are revoked are dim."""
    rows = table(
        *("id", "app", "opens", "begins with", "created", "expires", "used", "revoked"),
    )
    for each in keys:
        style = "" if each["revoked_at"] is None else "dim"
        values = [
            *(each["id"], each["app"], each["integration"] or "all of the app's", each["hint"]),
            *(each["created_at"], each["expires_at"], each["last_used_at"], each["revoked_at"]),
        ]
        rows.add_row(*(cell(value, style=style) for value in values))
    return rows
