"""How the ledger and what looks at it do with a million effects, on both kinds of database.

    python scripts/bench/explorer.py                    on a file and on a private PostgreSQL server
    python scripts/bench/explorer.py --on postgres --effects 100000

Prints each read in milliseconds: the first time, and the median and the longest of more, on one
connection (whose statements PostgreSQL comes to plan once for all values). Aims: no first page over
300 ms, and a lease in at most 1.5 × of the time in an empty ledger. PostgreSQL is measured before
ANALYZE, as after a restore, and after it, as autovacuum does it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from many_effects import DAYS, fill_file, fill_postgres, realm
from postgres_server import postgres

from quatrain.server.explorer import dashboard, queries, workflows
from quatrain.server.explorer.filters import Wanted
from quatrain.server.ledger import EffectId, Filter, Ledger, Place, Status, trail
from quatrain.server.ledger import queries as ledger_queries
from quatrain.server.ledger.prune import Over, prune
from quatrain.server.metrics import gauges
from quatrain.server.store import Store, store_on, wall_clock_ms

Read: TypeAlias = tuple[Callable[..., Any], Any]

LEASES: Final = 2_000
AT_ONCE: Final = 50
ROUNDS: Final = 12
FILTERS: Final[dict[str, Wanted]] = {
    "all": Wanted(),
    **{f"state={state}": Wanted(state=state) for state in Status},
    "namespace, all": Wanted(namespace="billing"),
    "namespace, rare": Wanted(namespace="rare"),
    "namespace, old": Wanted(namespace="retired"),
    "namespace, none": Wanted(namespace="no such"),
    "namespace, all, and failed": Wanted(namespace="billing", state=Status.FAILED),
    "namespace, rare, and committed": Wanted(namespace="rare", state=Status.COMMITTED),
    "workflow, all": Wanted(workflow="refunds"),
    "workflow, rare": Wanted(workflow="rare"),
    "workflow, rare, in namespace": Wanted(workflow="rare", namespace="rare"),
    "case": Wanted(case="case-77"),
    "case, and failed": Wanted(case="case-77", state=Status.FAILED),
    "agent, rare": Wanted(agent="rare"),
    "key, none": Wanted(key="no such text"),
    "older than a day": Wanted(age="older-1d"),
    "older than a day, and rare": Wanted(age="older-1d", namespace="rare"),
    "newer than an hour, key, none": Wanted(age="newer-1h", key="no such text"),
}
LISTS: Final[dict[str, Filter]] = {
    "list": Filter(),
    "list, namespace, rare": Filter(namespace="rare"),
    "list, workflow, rare": Filter(workflow="rare"),
    "list, failed": Filter(status=Status.FAILED),
    "list, expired, namespace": Filter(status=Status.EXPIRED, namespace="billing"),
    "list, case, committed": Filter(case="case-77", status=Status.COMMITTED),
}


def reads(realm_id: int, many: int) -> dict[str, Read]:
    """What is measured, by name."""
    page = {"realm_id": realm_id, "before": None, "limit": 50, "payloads": False}
    found: dict[str, Read] = {
        name: (queries.part, {**page, "wanted": wanted}) for name, wanted in FILTERS.items()
    }
    grid = {**page, "wanted": Wanted(workflow="refunds"), "limit": workflows.MOST_EFFECTS}
    exported = {**page, "wanted": Wanted(), "limit": 200, "payloads": True}
    bulk = {**page, "wanted": Wanted(state=Status.FAILED), "limit": 1_000}
    over = {"realm_id": realm_id, "namespace": None, "limit": 1_000}
    return {
        **found,
        "newer": (queries.part, {**page, "wanted": Wanted()}),
        "effect": (queries.look, {"realm_id": realm_id, "id": many // 2}),
        "overview": (dashboard.overview, realm_id),
        "workflows": (workflows.recent, realm_id),
        "workflow": (queries.part, grid),
        "bulk": (queries.part, bulk),
        "export, first": (queries.part, exported),
        "export, middle": (queries.part, {**exported, "before": many // 2}),
        **{
            name: (ledger_queries.list_effects, {**page, "filter": wanted})
            for name, wanted in LISTS.items()
        },
        "audit, first": (trail.page, {**over, "after": Place(0, 0)}),
        "audit, middle": (trail.page, {**over, "after": Place(many // 2, many)}),
        "gauges, open": (gauges.open_effects, None),
        "gauges, committed": (gauges.committed, None),
    }


def measure_reads(store: Store, realm_id: int, many: int) -> None:
    """Print what each takes."""
    wanted = reads(realm_id, many)
    took: dict[str, list[float]] = {name: [] for name in wanted}
    for _ in range(ROUNDS):
        for name, (read, argument) in wanted.items():
            begun = time.perf_counter()
            store.read_blocking(read, argument)
            took[name].append((time.perf_counter() - begun) * 1e3)
    for name, times in took.items():
        middle, longest = statistics.median(times[1:]), max(times[1:])
        mark = "  missed" if name in FILTERS and max(times) > 300 else ""
        print(f"{name:32} {times[0]:8.1f} ms {middle:8.1f} ms {longest:8.1f} ms{mark}")


async def lease_time(store: Store, realm_id: int, turn: int) -> float:
    """Microseconds a lease, of several at a time."""
    ledger = Ledger(store)
    begun = time.perf_counter()
    for start in range(0, LEASES, AT_ONCE):
        keys = [f"bench-{turn}-{number}" for number in range(start, start + AT_ONCE)]
        effects = [EffectId(realm_id, "billing", key) for key in keys]
        options: dict[str, Any] = {"workflow_name": "refunds", "agent_id": "worker-1"}
        await asyncio.gather(*(ledger.lease(effect, **options) for effect in effects))
    return (time.perf_counter() - begun) / LEASES * 1e6


def measure_leases(empty: Store, full: Store, realm_id: int) -> None:
    """Print what a lease takes here and there, turn by turn; the ratio is the turns' median."""
    other = empty.write_blocking(realm, None)
    turns = []
    for turn in range(ROUNDS):
        few = asyncio.run(lease_time(empty, other, turn))
        turns.append((few, asyncio.run(lease_time(full, realm_id, turn))))
    few, many = (statistics.median(times) for times in zip(*turns, strict=True))
    ratio = statistics.median(there / here for here, there in turns)
    print(f"a lease: {few:.0f} µs empty, {many:.0f} µs full, {ratio:.2f} ×")


def measure_prune(store: Store) -> None:
    """Print how fast the oldest quarter is forgotten, and what a last look for more takes."""
    over = Over(before=store.now_ms() - (DAYS - 1) * 86_400_000)
    begun = time.perf_counter()
    forgotten = prune(store, over)
    took = time.perf_counter() - begun
    begun = time.perf_counter()
    prune(store, over, dry_run=True)
    again = (time.perf_counter() - begun) * 1e3
    print(f"prune: {forgotten:,} in {took:.1f} s, {forgotten / took:,.0f} a second")
    print(f"prune, nothing left: {again:.1f} ms")


def on_file(directory: Path, many: int) -> None:
    """SQLite."""
    database = directory / "full.db"
    with store_on(database) as store:
        realm_id = store.write_blocking(realm, None)
    fill_file(database, many, wall_clock_ms(), realm_id)
    with store_on(database, readers=1) as store, store_on(directory / "empty.db") as empty:
        print("SQLite")
        measure_reads(store, realm_id, many)
        measure_leases(empty, store, realm_id)
        measure_prune(store)


def on_postgres(url: str, many: int) -> None:
    """PostgreSQL, that analyses nothing by itself until it is told to."""
    with store_on(url) as store:
        realm_id = store.write_blocking(realm, None)
    fill_postgres(url, many, wall_clock_ms(), realm_id)
    with store_on(url, readers=1) as store:
        print("PostgreSQL, before ANALYZE")
        measure_reads(store, realm_id, many)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("CREATE DATABASE empty")
    beside = f"{url.rpartition('/')[0]}/empty"
    with store_on(url, readers=1) as store, store_on(beside) as empty:
        print("PostgreSQL")
        measure_reads(store, realm_id, many)
        measure_leases(empty, store, realm_id)
        measure_prune(store)


def main() -> None:
    """Fill, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--on", choices=["file", "postgres", "both"], default="both")
    parser.add_argument("--effects", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if given.on != "postgres":
            on_file(Path(directory), given.effects)
        if given.on != "file":
            with postgres(Path(directory), autovacuum="off") as server:
                on_postgres(server.url("postgres"), given.effects)


if __name__ == "__main__":
    main()
