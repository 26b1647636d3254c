"""How the ledger and the Explorer do with a million effects: python scripts/bench/explorer.py.

Prints the first page of every filter in milliseconds (the first time, and the median of more), and
the time of a lease as a ratio to that in an empty ledger. What few effects are like is what is
asked for: two in a million.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from quatrain.server.explorer import dashboard, queries, workflows
from quatrain.server.explorer.filters import Wanted
from quatrain.server.ledger import EffectId, Ledger, Status
from quatrain.server.store import Connection, SqliteStore, wall_clock_ms

MANY: Final = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
LEASES: Final = 2_000
AT_ONCE: Final = 50
FILTERS: Final[dict[str, Wanted]] = {
    "all": Wanted(),
    **{f"state={state}": Wanted(state=state) for state in Status},
    "namespace, rare": Wanted(namespace="rare"),
    "namespace, all": Wanted(namespace="billing"),
    "namespace, all, and failed": Wanted(namespace="billing", state=Status.FAILED),
    "workflow, rare": Wanted(workflow="rare"),
    "case": Wanted(case="case-77"),
    "agent, rare": Wanted(agent="rare"),
    "key, none": Wanted(key="no such text"),
    "older than a day": Wanted(age="older-1d"),
    "older than a day, and rare": Wanted(age="older-1d", namespace="rare"),
    "newer than an hour, key, none": Wanted(age="newer-1h", key="no such text"),
}


def fill(connection: Connection, now: int, realm_id: int) -> None:
    """As ledgers are: nearly all done, over four days."""
    spread = 4 * 86_400_000 // MANY
    rows = (
        (
            realm_id,
            "rare" if number in {1_000, MANY // 2} else "billing",
            f"refund:order_{number}",
            status := ("RUNNING" if number % 50_000 == 7 else "COMMITTED"),
            now - 1 if status == "RUNNING" else None,
            "rare" if number in {1_000, MANY // 2} else f"worker-{number % 40}",
            "rare" if number in {1_000, MANY // 2} else "refunds",
            f"case-{number // 10}",
            '{"amount":12.5,"currency":"EUR"}',
            None if status == "RUNNING" else '{"refund_id":"re_77"}',
            now - (MANY - number) * spread,
            now - (MANY - number) * spread,
        )
        for number in range(MANY)
    )
    connection.executemany(
        "INSERT INTO effects (realm_id, namespace, effect_key, status, lease_expires_at, agent_id,"
        " workflow_name, case_id, input_json, result, created_at, updated_at, fence_token,"
        " lease_token_hash, lease_duration_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, randomblob(32), 30000)",
        rows,
    )
    connection.execute(
        "INSERT INTO effect_events (effect_id, type, at, fence_token)"
        " SELECT id, 'LEASE_GRANTED', created_at, 1 FROM effects"
    )
    connection.execute("UPDATE effects SET status = 'FAILED' WHERE id IN (900, ?)", (MANY // 3,))
    connection.execute("UPDATE effects SET status = 'RESET' WHERE id IN (901, ?)", (MANY // 4,))


def realm(connection: Connection, _now: int, _: None) -> int:
    """A tenant's."""
    statement = "INSERT INTO realms (tenant, mode) VALUES ('acme', 'test') RETURNING id"
    return int(connection.execute(statement).fetchone()[0])


async def lease_time(store: SqliteStore, realm_id: int) -> float:
    """Microseconds a lease, of several at a time; the best of three rounds."""
    ledger, rounds = Ledger(store), []
    for turn in range(3):
        begun = time.perf_counter()
        for start in range(0, LEASES, AT_ONCE):
            keys = [f"bench-{turn}-{number}" for number in range(start, start + AT_ONCE)]
            effects = [EffectId(realm_id, "billing", key) for key in keys]
            options: dict[str, Any] = {"workflow_name": "refunds", "agent_id": "worker-1"}
            await asyncio.gather(*(ledger.lease(effect, **options) for effect in effects))
        rounds.append((time.perf_counter() - begun) / LEASES * 1e6)
    return min(rounds)


def page_times(store: SqliteStore, realm_id: int) -> None:
    """Print the first page of each filter: the first time, and the median of the next five."""
    for name, wanted in FILTERS.items():
        params = {"realm_id": realm_id, "wanted": wanted, "before": None, "limit": 50}
        took = []
        for _ in range(6):
            begun = time.perf_counter()
            part = store.read_blocking(queries.part, {**params, "payloads": False})
            took.append((time.perf_counter() - begun) * 1e3)
        shown = f"{len(part.items)}{' so far' if part.searched else ''}"
        print(f"{name:32} {took[0]:8.1f} ms {statistics.median(took[1:]):8.1f} ms   {shown}")


def overview_times(store: SqliteStore, realm_id: int) -> None:
    """Print what the pages take that sum up."""
    reads: dict[str, Any] = {"overview": dashboard.overview, "workflows": workflows.recent}
    for name, read in reads.items():
        took = []
        for _ in range(6):
            begun = time.perf_counter()
            store.read_blocking(read, realm_id)
            took.append((time.perf_counter() - begun) * 1e3)
        print(f"{name:32} {took[0]:8.1f} ms {statistics.median(took[1:]):8.1f} ms")


def main() -> None:
    """Fill, and measure."""
    with tempfile.TemporaryDirectory() as directory:
        with SqliteStore(Path(directory) / "empty.db") as store:
            empty = asyncio.run(lease_time(store, store.write_blocking(realm, None)))
        database = Path(directory) / "full.db"
        with SqliteStore(database) as store:
            realm_id = store.write_blocking(realm, None)
        connection = sqlite3.connect(database)
        with connection:
            fill(connection, wall_clock_ms(), realm_id)
        connection.close()
        with SqliteStore(database) as store:
            page_times(store, realm_id)
            overview_times(store, realm_id)
            full = asyncio.run(lease_time(store, realm_id))
        print(f"a lease: {empty:.0f} µs empty, {full:.0f} µs full, {full / empty:.2f} ×")


if __name__ == "__main__":
    main()
