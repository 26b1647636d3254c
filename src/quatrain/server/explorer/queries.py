"""The Explorer's reads of the ledger, none of which looks at more rows than it may.

Every function is a query of the store: ``(connection, now, params)``, and an answer.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.server.ledger import Effect, Event, EventType, Status
from quatrain.server.ledger.queries import FACTS
from quatrain.server.store import Connection, in_index_order, queries

from .filters import AGES, Wanted

_SQL: Final = queries.load("explorer")
_NOBODY: Final = 2**62
"""Above every id."""

SCAN: Final = 20_000
"""Rows that one page of a list looks at."""
TRAIL: Final = 500
"""Lines of an audit trail that a page shows."""

_PAYLOADS: Final = ", input_json, result, error"

# literals, so that SQLite can see that a partial index serves
_OF_STATE: Final[dict[Status | None, str]] = {
    Status.RUNNING: "status = 'RUNNING'",
    Status.EXPIRED: "status = 'RUNNING'",
    Status.FAILED: "status = 'FAILED'",
    Status.RESET: "status = 'RESET'",
}
_JUDGED: Final[dict[Status | None, str]] = {
    Status.RUNNING: "lease_expires_at > :now",
    Status.EXPIRED: "lease_expires_at <= :now",
    Status.COMMITTED: "status = 'COMMITTED'",
}


@attrs.frozen
class Part:
    """A part of a list, newest first."""

    items: list[Effect]
    next: int | None
    """Where the part after it begins: below this id; None after the last."""
    searched: bool
    """Whether it ends where the search did, and not because it is full."""


@in_index_order
def part(connection: Connection, now: int, params: dict[str, Any]) -> Part:
    """A part of a list. *params*: realm_id, wanted, before (an id), limit, payloads, scan."""
    wanted: Wanted = params["wanted"]
    limit, scan = params["limit"], params.get("scan", SCAN)
    values = {
        "now": now,
        "realm_id": params["realm_id"],
        "before": params["before"] or _NOBODY,
        "scan": scan,
        "floor": 0,
        "limit": limit + 1,
        "cutoff": 0,
        **attrs.asdict(wanted),
    }
    indexed, judged = _conditions(wanted)
    lowest = 0
    if wanted.age is not None:
        values["cutoff"] = now - AGES[wanted.age][1]
        edge = _edge(connection, values)
        if wanted.age.startswith("older"):
            judged.append("created_at <= :cutoff")
            values["before"] = min(values["before"], edge + 1)
        else:
            judged.append("created_at > :cutoff")
            lowest = edge + 1
    text = "".join(f" AND {condition}" for condition in indexed)
    row = connection.execute(_SQL["floor"].format(indexed=text), values).fetchone()
    reached = 0 if row is None else int(row[0])
    values["floor"] = max(reached, lowest)
    statement = _SQL["page"].format(
        columns=FACTS + (_PAYLOADS if params["payloads"] else ""),
        indexed=text,
        filters="".join(f" AND {condition}" for condition in judged),
    )
    items = [effect_of(found) for found in connection.execute(statement, values)]
    if len(items) > limit:
        return Part(items[:limit], items[limit - 1].id, searched=False)
    if reached > lowest:
        return Part(items, reached, searched=True)
    return Part(items, None, searched=False)


def _conditions(wanted: Wanted) -> tuple[list[str], list[str]]:
    """What one index finds, and what is judged row by row.

    The latter is written so that no planner takes another index for it, and then has to sort.
    """
    indexed: list[str] = []
    judged: list[str] = []
    if wanted.case is not None:
        indexed.append("case_id = :case")
    if (of_state := _OF_STATE.get(wanted.state)) is not None:
        if indexed:
            judged.append(of_state.replace("status =", "status || '' ="))
        else:
            indexed.append(of_state)
    for column, name, value in (
        ("workflow_name", "workflow", wanted.workflow),
        ("namespace", "namespace", wanted.namespace),
    ):
        if value is None:
            continue
        if indexed:
            judged.append(f"{column} || '' = :{name}")
        else:
            indexed.append(f"{column} = :{name}")
    if (of_time := _JUDGED.get(wanted.state)) is not None:
        judged.append(of_time)
    if wanted.agent is not None:
        judged.append("agent_id = :agent")
    if wanted.key is not None:
        # replace, which both databases have, and not LIKE: its wildcards would have to be escaped
        judged.append("replace(effect_key, :key, '') <> effect_key")
    return indexed, judged


def _edge(connection: Connection, values: dict[str, Any]) -> int:
    """The id of the last effect that began by the cutoff, or 0.

    Found by halving: ids grow as time passes, so no index of times is needed.
    """
    realm = {"realm_id": values["realm_id"]}
    (high,) = connection.execute(_SQL["newest"], realm).fetchone()
    low, high = 0, int(high or 0)
    # invariant: what is at or below low began by the cutoff, and what is above high did not
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(_SQL["at_or_below"], {**realm, "id": middle}).fetchone()
        if row is None or row[1] <= values["cutoff"]:
            low = middle
        else:
            high = int(row[0]) - 1
    return low


def effect(connection: Connection, now: int, params: dict[str, Any]) -> Effect | None:
    """One effect with its payloads. *params*: realm_id, id."""
    statement = _SQL["effect"].format(columns=FACTS + _PAYLOADS)
    row = connection.execute(statement, {**params, "now": now}).fetchone()
    return None if row is None else effect_of(row)


@in_index_order
def look(
    connection: Connection, now: int, params: dict[str, Any]
) -> tuple[Effect, list[Event], bool, int] | None:
    """An effect, its audit trail oldest first, whether that is cut at its beginning, and *now*."""
    found = effect(connection, now, params)
    if found is None:
        return None
    values = {"effect_id": found.id, "limit": TRAIL + 1}
    lines = [
        Event(seq, EventType(kind), *rest)
        for seq, kind, *rest in connection.execute(_SQL["trail"], values)
    ]
    return found, lines[:TRAIL][::-1], len(lines) > TRAIL, now


def mode(connection: Connection, _now: int, realm_id: int) -> str:
    """Whether a realm's data is live or test."""
    (found,) = connection.execute(_SQL["mode"], {"realm_id": realm_id}).fetchone()
    return str(found)


def effect_of(row: Any) -> Effect:
    """A row of the columns above."""
    columns = list(row)
    columns[4] = Status(columns[4])
    return Effect(*columns)
