"""The ledger's reads: one effect, pages of effects, pages of an audit trail."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

import attrs

from quatrain.server.store import Connection, in_index_order, queries

from .records import Effect, Event, EventType, Status

_SQL: Final = queries.load("effects")

FACTS: Final = (
    "id, namespace, effect_key, effect_name, "
    "CASE WHEN status = 'RUNNING' AND lease_expires_at <= :now THEN 'EXPIRED' ELSE status END, "
    "fence_token, agent_id, workflow_name, case_id, run_id, lease_expires_at, source, "
    "created_at, updated_at, first_fence, operator_fences"
)
"""The columns of an Effect, in its order; its payloads come after them."""
_PAYLOADS: Final = ", input_json, result, error"

# literals, so that SQLite can see that a partial index serves
_STATUS_FILTERS: Final = {
    Status.RUNNING: "status = 'RUNNING' AND lease_expires_at > :now",
    Status.EXPIRED: "status = 'RUNNING' AND lease_expires_at <= :now",
    Status.COMMITTED: "status = 'COMMITTED'",
    Status.FAILED: "status = 'FAILED'",
    Status.RESET: "status = 'RESET'",
}


@attrs.frozen(kw_only=True)
class Filter:
    """Which effects; None lets all pass."""

    namespace: str | None = None
    status: Status | None = None
    workflow: str | None = None
    case: str | None = None
    key: str | None = None
    """Part of the effect key, exactly as written: no wildcards, case matters."""


@attrs.frozen(kw_only=True)
class EffectsPage:
    """A page, newest first; *next* is where the one after it begins, None on the last."""

    items: list[Effect]
    next: int | None


@attrs.frozen(kw_only=True)
class EventsPage:
    """A page, oldest first; *next* is where the one after it begins, None on the last."""

    items: list[Event]
    next: int | None


def get(connection: Connection, now: int, params: dict[str, Any]) -> Effect | None:
    """One effect with its payloads."""
    statement = _SQL["get"].format(columns=FACTS + _PAYLOADS)
    row = connection.execute(statement, {**params, "now": now}).fetchone()
    return None if row is None else _effect(row)


@in_index_order
def of_key(connection: Connection, now: int, params: dict[str, Any]) -> list[Effect]:
    """The effects of one key in every namespace. *params*: realm_id, effect_key."""
    rows = connection.execute(_SQL["of_key"].format(columns=FACTS), {**params, "now": now})
    return sorted(map(_effect, rows), key=attrgetter("id"), reverse=True)


@in_index_order
def list_effects(connection: Connection, now: int, params: dict[str, Any]) -> EffectsPage:
    """A page of effects. *params*: realm_id, filter, before (a row's id), limit, payloads."""
    wanted: Filter = params["filter"]
    case, workflow, namespace = _of_one_index(wanted)
    conditions = {
        f"{namespace} = :namespace": wanted.namespace,
        f"{workflow} = :workflow": wanted.workflow,
        f"{case} = :case": wanted.case,
        # instr and not LIKE: its wildcards would have to be escaped, and it stops at a NUL
        "instr(effect_key, :key) > 0": wanted.key,
        "id < :before": params["before"],
    }
    chosen = [text for text, value in conditions.items() if value is not None]
    if wanted.status is not None:
        text = _STATUS_FILTERS[wanted.status]
        chosen.append(text if wanted.case is None else text.replace("status =", "status || '' ="))
    statement = _SQL["list"].format(
        columns=FACTS + (_PAYLOADS if params["payloads"] else ""),
        filters="".join(f" AND {text}" for text in chosen),
    )
    limit: int = params["limit"]
    values = {
        "now": now,
        "realm_id": params["realm_id"],
        "before": params["before"],
        "limit": limit + 1,  # one more than asked for tells whether there is a next page
        **attrs.asdict(wanted),
    }
    items = [_effect(row) for row in connection.execute(statement, values)]
    following = items[limit - 1].id if len(items) > limit else None
    return EffectsPage(items=items[:limit], next=following)


def _of_one_index(wanted: Filter) -> list[str]:
    """The columns case_id, workflow_name and namespace, of which an index finds one at most.

    The narrowest that is asked for: a case, else the status, else a workflow. The others are
    written as expressions, which no index has: a planner that knows no better would go through all
    of a namespace for the few of it that have failed.
    """
    found = wanted.case is None and wanted.status not in {None, Status.COMMITTED}
    columns = []
    for column, value in (
        ("case_id", wanted.case),
        ("workflow_name", wanted.workflow),
        ("namespace", wanted.namespace),
    ):
        columns.append(f"{column} || ''" if found else column)
        found = found or value is not None
    return columns


@in_index_order
def events(connection: Connection, now: int, params: dict[str, Any]) -> EventsPage | None:
    """A page of an effect's audit trail; None when there is no such effect."""
    effect = get(connection, now, params)
    if effect is None:
        return None
    limit: int = params["limit"]
    values = {"effect_id": effect.id, "after": params["after"], "limit": limit + 1}
    items = [
        Event(seq, EventType(kind), *rest)
        for seq, kind, *rest in connection.execute(_SQL["events"], values)
    ]
    following = items[limit - 1].seq if len(items) > limit else None
    return EventsPage(items=items[:limit], next=following)


def _effect(row: tuple[Any, ...]) -> Effect:
    columns = list(row)
    columns[4] = Status(columns[4])
    return Effect(*columns)
