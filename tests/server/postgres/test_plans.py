"""How PostgreSQL reads a large ledger: by an index in its order, whatever it knows of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from quatrain.server.explorer import dashboard, queries, workflows
from quatrain.server.explorer.filters import Wanted
from quatrain.server.ledger import Filter, Place, Status, trail
from quatrain.server.ledger import queries as ledger_queries
from quatrain.server.metrics import gauges
from quatrain.server.store import PostgresURL, Store, store_on
from quatrain.server.store.postgres.connection import PostgresConnection
from tests._require import import_for

from .._support import START, ServerClock, make_realm

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once

MANY = 6_000
RARE = "CASE WHEN number % 3000 = 1 THEN 'rare' ELSE 'all' END"
FILL = f"""
INSERT INTO effects (realm_id, namespace, effect_key, status, lease_expires_at, fence_token,
  lease_token_hash, lease_duration_ms, workflow_name, case_id, created_at, updated_at)
SELECT CASE number % 3 WHEN 0 THEN {{other}} ELSE {{realm}} END, {RARE}, 'key-' || number,
  CASE number WHEN 7 THEN 'RUNNING' WHEN 8 THEN 'FAILED' WHEN 10 THEN 'RESET' ELSE 'COMMITTED' END,
  CASE number WHEN 7 THEN {START} END, 1, '', 30000, {RARE}, 'case-' || number / 10,
  {START} + number, {START} + number
FROM generate_series(1, {MANY}) AS numbers (number);
INSERT INTO effect_events (effect_id, type, at, fence_token)
SELECT id, type, created_at, 1
FROM effects, (VALUES ('LEASE_GRANTED'), ('COMMITTED')) AS kind (type) ORDER BY id
"""
ALL = {"realm_id": 0, "before": None, "limit": 50, "payloads": False}
BY_INDEX: dict[str, tuple[Wanted, str]] = {
    "all": (Wanted(), "effects_newest"),
    "agent and key": (Wanted(agent="a", key="k"), "effects_newest"),
    "committed": (Wanted(state=Status.COMMITTED), "effects_newest"),
    "failed": (Wanted(state=Status.FAILED, namespace="all", workflow="all"), "effects_failed"),
    "expired": (Wanted(state=Status.EXPIRED, namespace="rare"), "effects_running"),
    "running": (Wanted(state=Status.RUNNING), "effects_running"),
    "reset": (Wanted(state=Status.RESET), "effects_reset"),
    "namespace": (Wanted(namespace="rare"), "effects_of_namespace"),
    "no such": (Wanted(namespace="no"), "effects_of_namespace"),
    "workflow": (Wanted(workflow="rare", namespace="all"), "effects_of_workflow"),
    "case": (Wanted(case="case-5", state=Status.FAILED), "effects_of_case"),
    "old": (Wanted(age="older-1h", namespace="rare"), "effects_of_namespace"),
}


@pytest.fixture(params=["before ANALYZE", "after ANALYZE"])
def store(
    postgres_url: PostgresURL, clock: ServerClock, request: pytest.FixtureRequest
) -> Iterator[Store]:
    """Of whose data the planner knows nothing yet, or all; one connection reads."""
    with store_on(postgres_url, now_ms=clock, readers=1) as store:
        realms = {
            "realm": make_realm(store, "acme", "test"),
            "other": make_realm(store, "b", "test"),
        }
        with psycopg.connect(postgres_url.secret.reveal(), autocommit=True) as connection:
            connection.execute(FILL.format(**realms))
            if request.param == "after ANALYZE":
                connection.execute("ANALYZE")
        yield store


@pytest.fixture
def realm(store: Store) -> int:
    query = "SELECT id FROM realms WHERE tenant = 'acme'"
    return int(store.read_blocking(lambda c, _now, _: c.execute(query).fetchone()[0], None))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The plan of every statement, as it is read."""
    found: list[dict[str, Any]] = []
    execute = PostgresConnection.execute

    def explained(connection: PostgresConnection, sql: str, parameters: Any = (), /) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            answer = execute(connection, f"EXPLAIN (FORMAT JSON) {sql}", parameters)
            found.append(answer.fetchone()[0][0]["Plan"])
        return execute(connection, sql, parameters)

    monkeypatch.setattr(PostgresConnection, "execute", explained)
    return found


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All of a plan's, from the last to the first."""
    yield plan
    for each in plan.get("Plans", []):
        yield from steps(each)


def wrong(plan: dict[str, Any]) -> list[str]:
    """What of it reads more than it gives on; groups are few, and may be sorted."""
    found = []
    for step in steps(plan):
        kind = step["Node Type"]
        below = [each["Node Type"] for each in step.get("Plans", [])]
        large = step.get("Relation Name") in {"effects", "effect_events"}
        if (large and kind not in {"Index Scan", "Index Only Scan"}) or (
            kind == "Sort" and below != ["Aggregate"]
        ):
            found.append(f"{kind} of {step.get('Relation Name') or below}")
    return found


def test_every_filter_has_an_index_in_its_order(
    store: Store, realm: int, plans: list[dict[str, Any]]
) -> None:
    """Both how far a search goes and what it finds; nothing is sorted."""
    for name, (wanted, index) in BY_INDEX.items():
        plans.clear()
        store.read_blocking(queries.part, {**ALL, "realm_id": realm, "wanted": wanted})
        used = [step.get("Index Name") for plan in plans for step in steps(plan)]
        assert [] == [each for plan in plans for each in wrong(plan)], name
        assert [index, index] == [each for each in used if each is not None][-2:], name


def test_other_reads_have_one_too(store: Store, realm: int, plans: list[dict[str, Any]]) -> None:
    """The pages that sum up, the lists of the query API, and what checks the audit trail."""
    page = {**ALL, "realm_id": realm}
    reads: dict[str, tuple[Any, Any]] = {
        "overview": (dashboard.overview, realm),
        "workflows": (workflows.recent, realm),
        "list": (ledger_queries.list_effects, {**page, "filter": Filter()}),
        "namespace": (ledger_queries.list_effects, {**page, "filter": Filter(namespace="rare")}),
        "failed": (ledger_queries.list_effects, {**page, "filter": Filter(status=Status.FAILED)}),
        "audit": (
            trail.page,
            {"realm_id": realm, "namespace": None, "after": Place(4_000, 7), "limit": 100},
        ),
        "key": (ledger_queries.of_key, {"realm_id": realm, "effect_key": "key-7"}),
        "effect": (queries.look, {"realm_id": realm, "id": 100}),
    }
    for name, (read, argument) in reads.items():
        plans.clear()
        store.read_blocking(read, argument)
        assert [] == [each for plan in plans for each in wrong(plan)], name


def test_gauges_look_at_what_is_open_alone(store: Store, plans: list[dict[str, Any]]) -> None:
    """By the indexes of what few effects are in."""
    store.read_blocking(gauges.open_effects, None)
    scans = [step for plan in plans for step in steps(plan) if "Index Name" in step]
    assert {"effects_running", "effects_failed", "effects_reset"} == {
        scan["Index Name"] for scan in scans
    }


def test_a_page_of_the_audit_begins_where_it_is(
    store: Store, realm: int, plans: list[dict[str, Any]]
) -> None:
    """And not with the first lines of all, to be passed over."""
    argument = {"realm_id": realm, "namespace": None, "after": Place(4_000, 7), "limit": 100}
    store.read_blocking(trail.page, argument)
    (plan,) = plans
    (lines,) = [step for step in steps(plan) if step.get("Relation Name") == "effect_events"]
    assert "effect_id" in lines["Index Cond"]


def test_a_rare_value_has_a_plan_of_its_own(store: Store, realm: int) -> None:
    """However often the same statement was asked with others."""

    def counted(connection: Any, _now: int, _: None) -> tuple[int, int]:
        query = (
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements"
            " WHERE strpos(statement, 'FROM effects') > 0"
        )
        generic, custom = connection.execute(query).fetchone()
        return int(generic), int(custom)

    for namespace in ["all"] * 15 + ["rare"]:
        wanted = Wanted(namespace=namespace)
        store.read_blocking(queries.part, {**ALL, "realm_id": realm, "wanted": wanted})
    generic, custom = store.read_blocking(counted, None)
    assert (0, True) == (generic, custom > 15)
