"""Workflows: which there are, and the effects of one as cases by runs."""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.server.ledger import Effect
from quatrain.server.store import Connection, in_index_order
from quatrain.server.store import queries as sql
from quatrain.server.verity.render import effect_id
from quatrain.server.webpages import Answer, PageError

from . import queries
from .call import Call
from .filters import Wanted

MOST_CASES: Final = 50
MOST_RUNS: Final = 10
MOST_EFFECTS: Final = 1_000
_SQL: Final = sql.load("explorer")


@attrs.frozen
class Workflow:
    """What became of its effects, among the newest of the ledger."""

    name: str
    effects: int
    committed: int
    failed: int
    expired: int
    changed: int
    """Milliseconds since 1970."""


@attrs.frozen
class Grid:
    """Cases as rows, runs as columns, newest first; an effect stands where it was tried last."""

    runs: list[str | None]
    rows: list[tuple[str | None, list[list[Effect]]]]
    cut: bool
    """Whether there are more cases, runs or effects than it has room for."""


async def show_list(call: Call) -> Answer:
    """Every workflow among the newest effects."""
    found, now = await call.store.read(recent, call.realm_id)
    return call.page("workflows.html", found=found, now=now, scan=queries.SCAN)


async def show(call: Call) -> Answer:
    """One workflow's grid."""
    name = call.query().get("name", "")
    if not name:
        raise PageError(404, "There is no such workflow", "Its address names none.")
    params = {
        "realm_id": call.realm_id,
        "wanted": Wanted(workflow=name),
        "before": None,
        "limit": MOST_EFFECTS,
        "payloads": False,
    }
    part = await call.store.read(queries.part, params)
    if not part.items:
        raise PageError(404, "There is no such workflow", "No effect is of one by this name.")
    found = grid(part.items, more=part.next is not None)
    return call.page("workflow.html", name=name, grid=found, effect_id=effect_id)


@in_index_order
def recent(connection: Connection, now: int, realm_id: int) -> tuple[list[Workflow], int]:
    """A query of the store: the workflows, most recently changed first, and *now*."""
    values: dict[str, Any] = {"realm_id": realm_id, "now": now, "most": queries.SCAN, "limit": 200}
    rows = connection.execute(_SQL["workflows"], values)
    return [Workflow(*row) for row in rows], now


def grid(effects: list[Effect], *, more: bool) -> Grid:
    """Lay effects, newest first, out."""
    runs = list(dict.fromkeys(effect.run_id for effect in effects))
    cases: dict[str | None, list[Effect]] = {}
    for effect in effects:
        cases.setdefault(effect.case_id, []).append(effect)
    columns = {run: number for number, run in enumerate(runs[:MOST_RUNS])}
    rows = []
    for case, found in list(cases.items())[:MOST_CASES]:
        cells: list[list[Effect]] = [[] for _ in columns]
        for effect in reversed(found):
            if effect.run_id in columns:
                cells[columns[effect.run_id]].append(effect)
        rows.append((case, cells))
    cut = more or len(runs) > MOST_RUNS or len(cases) > MOST_CASES
    return Grid(list(columns), rows, cut)
