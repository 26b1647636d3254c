"""The ledger's protects a second without HTTP, against its own SQL in bare sqlite3 loops.

The loops run the same statements with the same pragmas, audit lines and ``synchronous=FULL``, and
nothing else: no locks between processes, no tokens made, nobody answered.

- A transaction each: one for the lease, one for the commit, as without group commit it has to be:
  an action may only begin when its lease is on the disk.
- A transaction a protect: both in one, which no ledger can do, as the most that one sync allows.
- A transaction a hundred: a hundred leases, then their hundred commits. That is the most that
  SQLite can do for a hundred in flight.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from legs import Leg, Watch, compare
from protects import RESULT, protects
from rows import Aim, Row

from quatrain.server.keys import KeyRing
from quatrain.server.ledger import Ledger
from quatrain.server.store import SqliteStore, queries
from quatrain.server.store.sqlite.files import DatabaseFile

IN_FLIGHT: Final = 100
_TOKEN_HASH: Final = b"\0" * 32
_GRANTED: Final = '{"priorState": "none", "leaseExpiresAt": "2026-05-17T09:30:00.250Z"}'
_ACTED: Final = '{"source": "acted"}'
_SQL: Final = queries.load("effects")
_keys: Final[Iterator[int]] = itertools.count()


def measure(directory: Path, *, rounds: int, seconds: float) -> list[Row]:
    """A row for each loop."""
    rounds_legs: list[tuple[Leg, Leg, Leg, Leg]] = []
    with SqliteStore(directory / "ours.db") as store:
        ledger, realm = Ledger(store), _realm(store)
        loops = _BareLoop(directory / "bare.db")
        for _ in range(rounds + 1):
            ours = asyncio.run(protects(ledger, realm, IN_FLIGHT, seconds))
            bare = (loops.each(seconds), loops.one_by_one(seconds), loops.by_hundreds(seconds))
            rounds_legs.append((ours, *bare))
        loops.close()
    mine, each, single, batched = zip(*rounds_legs[1:], strict=True)  # the first warmed up
    group, what = "protects in the ledger", f"{IN_FLIGHT} in flight"
    return [
        compare(group, what, mine, "bare loop, a transaction each", each, Aim(at_least=5)),
        compare(group, what, mine, "bare loop, a transaction a protect", single, None),
        compare(
            group, what, mine, "bare loop, a transaction a hundred", batched, Aim(at_least=0.7)
        ),
    ]


def _realm(store: SqliteStore) -> int:
    ring = KeyRing(store)
    _, secret = ring.create()
    principal = asyncio.run(ring.authenticate(secret.reveal().encode()))
    if principal is None:
        raise RuntimeError("the new key is not known")
    return principal.realm_id


class _BareLoop:
    """The ledger's statements, one after the other on one connection."""

    def __init__(self, path: Path) -> None:
        with SqliteStore(path) as store:
            self._realm = _realm(store)
        self._connection = DatabaseFile(path).connect()

    def close(self) -> None:
        self._connection.close()

    def each(self, seconds: float) -> Leg:
        """Protects a second, the lease in one transaction and the commit in another."""
        done = 0
        watch = Watch(seconds)
        while watch.running():
            with self._transaction() as now:
                lease = self._lease(now)
            with self._transaction() as now:
                self._commit(now, lease)
            done += 1
        return watch.leg(done)

    def one_by_one(self, seconds: float) -> Leg:
        """Protects a second, each in a transaction."""
        done = 0
        watch = Watch(seconds)
        while watch.running():
            with self._transaction() as now:
                self._commit(now, self._lease(now))
            done += 1
        return watch.leg(done)

    def by_hundreds(self, seconds: float) -> Leg:
        """Protects a second, a hundred leases or a hundred commits in each transaction."""
        done = 0
        watch = Watch(seconds)
        while watch.running():
            with self._transaction() as now:
                held = [self._lease(now) for _ in range(IN_FLIGHT)]
            with self._transaction() as now:
                for lease in held:
                    self._commit(now, lease)
            done += len(held)
        return watch.leg(done)

    @contextmanager
    def _transaction(self) -> Iterator[int]:
        self._connection.execute("BEGIN IMMEDIATE")
        yield time.time_ns() // 1_000_000
        self._connection.execute("COMMIT")

    def _lease(self, now: int) -> tuple[int, int, str]:
        """The row, its fence token and its key."""
        key = f"effect:{next(_keys)}"
        asked: dict[str, Any] = {
            "realm_id": self._realm,
            "namespace": "bench",
            "effect_key": key,
            "effect_name": None,
            "lease_token_hash": _TOKEN_HASH,
            "lease_duration_ms": 30_000,
            "agent_id": None,
            "workflow_name": None,
            "case_id": None,
            "run_id": None,
            "input_json": None,
            "now": now,
        }
        row, fence, *_ = self._connection.execute(_SQL["lease"], asked).fetchone()
        line = (row, "LEASE_GRANTED", now, fence, None, None, _GRANTED)
        self._connection.execute(_SQL["add_event"], line)
        return row, fence, key

    def _commit(self, now: int, lease: tuple[int, int, str]) -> None:
        row, fence, key = lease
        asked: dict[str, Any] = {
            "realm_id": self._realm,
            "namespace": "bench",
            "effect_key": key,
            "fence_token": fence,
            "lease_token_hash": _TOKEN_HASH,
            "result": RESULT,
            "source": "acted",
            "now": now,
        }
        self._connection.execute(_SQL["commit"], asked).fetchone()
        line = (row, "COMMITTED", now, fence, None, None, _ACTED)
        self._connection.execute(_SQL["add_event"], line)
