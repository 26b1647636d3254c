"""Lists find their rows through an index, however large the ledger has grown."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from quatrain.server.ledger import Filter, Status
from quatrain.server.ledger.queries import list_effects
from quatrain.server.store import Store


class Explained:
    """A connection that runs nothing and notes by which index it would."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.plan: list[str] = []

    def execute(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        self.plan = [detail for *_, detail in rows]
        return []


@pytest.mark.parametrize("before", [None, 1_000])
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(), "effects_newest"),
        (Filter(namespace="ns"), "effects_of_namespace"),
        (Filter(status=Status.COMMITTED), "effects_newest"),
        (Filter(status=Status.FAILED), "effects_failed"),
        (Filter(namespace="ns", status=Status.FAILED), "effects_failed"),
        (Filter(case="c"), "effects_of_case"),
        (Filter(case="c", workflow="w", namespace="ns"), "effects_of_case"),
        (Filter(workflow="w", namespace="ns"), "effects_of_workflow"),
        (Filter(case="c", workflow="w", status=Status.EXPIRED), "effects_of_case"),
        (Filter(case="c", status=Status.FAILED), "effects_of_case"),
        (Filter(workflow="w", status=Status.EXPIRED), "effects_running"),
        (Filter(namespace="ns", status=Status.RESET), "effects_reset"),
    ],
)
@pytest.mark.on_file
def test_lists_use_an_index_that_has_their_order(
    store: Store, wanted: Filter, index: str, before: int | None
) -> None:
    """One search, and nothing is sorted."""

    def explain(connection: sqlite3.Connection, now: int, _: None) -> list[str]:
        explained: Any = Explained(connection)
        params = {"realm_id": 1, "filter": wanted, "before": before, "limit": 9, "payloads": True}
        list_effects(explained, now, params)
        return list(explained.plan)

    (step,) = store.read_blocking(explain, None)
    assert step.startswith(f"SEARCH effects USING INDEX {index} (realm_id=?")
