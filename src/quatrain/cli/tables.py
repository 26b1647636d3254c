"""Tables and cards; those of effects and of their audit trails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from quatrain.verity import Effect, EffectEvent

from .text import cell, json_shown, json_text

__all__ = [
    "STATUS_STYLES",
    "card",
    "effect_card",
    "effects_table",
    "events_table",
    "payload",
    "table",
]

STATUS_STYLES: Final = {
    "RUNNING": "cyan",
    "COMMITTED": "green",
    "FAILED": "red",
    "EXPIRED": "yellow",
    "RESET": "magenta",
}


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def card(fields: Mapping[str, Any]) -> Table:
    """One thing, a field a row; what is None is left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column()
    made.add_column(overflow="fold")
    for name, value in fields.items():
        if value is not None:
            made.add_row(Text(name, style="dim"), value if isinstance(value, Text) else cell(value))
    return made


def payload(value: Any) -> Text | None:
    """JSON in lines, cut where it is long; None for none."""
    return None if value is None else Text(json_shown(value))


def effects_table(effects: Sequence[Effect]) -> Table:
    """Effects, one a row."""
    rows = table("namespace", "key", "status", "fence", "attempts", "agent", "updated")
    for effect in effects:
        rows.add_row(
            cell(effect.namespace),
            cell(effect.effect_key),
            _status(effect),
            cell(effect.fence_token),
            cell(effect.attempts),
            cell(effect.agent_id),
            cell(effect.updated_at),
        )
    return rows


def effect_card(effect: Effect) -> Table:
    """All that is known of one effect."""
    fields: dict[str, Any] = {
        "key": effect.effect_key,
        "namespace": effect.namespace,
        "id": effect.effect_id,
        "name": effect.effect_name,
        "status": _status(effect),
        "settled by": effect.source,
        "fence": effect.fence_token,
        "attempts": effect.attempts,
        "agent": effect.agent_id,
        "workflow": effect.workflow_name,
        "case": effect.case_id,
        "run": effect.run_id,
        "lease until": effect.lease_expires_at,
        "created": effect.created_at,
        "updated": effect.updated_at,
        "input": payload(effect.input_json),
        "result": payload(effect.result),
        "error": payload(effect.error),
    }
    return card(fields)


def events_table(events: Sequence[EffectEvent]) -> Table:
    """An audit trail."""
    rows = table("#", "at", "event", "fence", "agent", "detail", title="Audit trail")
    for event in events:
        detail = None if event.detail is None else json_text(event.detail)
        values = [event.seq, event.at, event.type, event.fence_token, event.agent_id, detail]
        rows.add_row(*map(cell, values))
    return rows


def _status(effect: Effect) -> Text:
    return cell(effect.status, style=STATUS_STYLES.get(effect.status, ""))
