"""The ledger's protects a second without HTTP, against its own SQL in bare sqlite3 loops.

The loops run the same statements with the same pragmas, audit lines and ``synchronous=FULL``, and
nothing else: no locks between processes, no tokens made, no answers. The first commits after each
protect, as a ledger without group commit has to; the second after each hundred, which is as fast as
SQLite goes.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rows import Aim, Row, paired

from quatrain.server.keys import KeyRing
from quatrain.server.ledger import EffectId, Holder, Ledger
from quatrain.server.store import SqliteStore, queries
from quatrain.server.store.files import DatabaseFile

IN_FLIGHT: Final = 100
_RESULT: Final = '{"receipt":"re_12345"}'
_SQL: Final = queries.load("effects")
_keys: Final[Iterator[int]] = itertools.count()


def measure(directory: Path, *, rounds: int, seconds: float) -> list[Row]:
    """Two rows, one for each loop."""
    ours: list[float] = []
    single: list[float] = []
    batched: list[float] = []
    with SqliteStore(directory / "ours.db") as store:
        ledger, realm = Ledger(store), _realm(store)
        loops = _BareLoop(directory / "bare.db")
        for number in range(-1, rounds):  # the first warms up
            rates = (
                asyncio.run(_protects(ledger, realm, seconds)),
                loops.protects(1, seconds),
                loops.protects(100, seconds),
            )
            if number >= 0:
                for kept, rate in zip((ours, single, batched), rates, strict=True):
                    kept.append(rate)
        loops.close()
    rows = []
    for name, theirs, aim in (
        ("a transaction each", single, Aim(at_least=5.0)),
        ("a transaction a hundred", batched, Aim(at_least=0.7)),
    ):
        mine, other, ratio = paired(ours, theirs)
        rows.append(
            Row(
                group="protects in the ledger",
                what=f"{IN_FLIGHT} in flight",
                unit="/s",
                ours=mine,
                against=f"bare loop, {name}",
                theirs=other,
                ratio=ratio,
                aim=aim,
            )
        )
    return rows


def _realm(store: SqliteStore) -> int:
    ring = KeyRing(store)
    _, secret = ring.create()
    principal = asyncio.run(ring.authenticate(secret.reveal().encode()))
    if principal is None:
        raise RuntimeError("the new key is not known")
    return principal.realm_id


async def _protects(ledger: Ledger, realm: int, seconds: float) -> float:
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < end:
            effect = EffectId(realm, "bench", f"effect:{next(_keys)}")
            answer = await ledger.lease(effect)
            if not isinstance(answer, tuple):
                raise TypeError("a new effect was settled already")
            granted, token = answer
            holder = Holder(effect, granted.fence_token, token)
            await ledger.commit(holder, result=_RESULT, source="acted")
            done += 1

    began = time.perf_counter()
    end = began + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(work())
    return done / (time.perf_counter() - began)


class _BareLoop:
    """The ledger's statements, one after the other on one connection."""

    def __init__(self, path: Path) -> None:
        with SqliteStore(path) as store:
            self._realm = _realm(store)
        self._connection = DatabaseFile(path).connect()

    def close(self) -> None:
        self._connection.close()

    def protects(self, a_transaction: int, seconds: float) -> float:
        """Protects a second, so many in each transaction."""
        done = 0
        connection = self._connection
        began = time.perf_counter()
        end = began + seconds
        while time.perf_counter() < end:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(a_transaction):
                _protect(connection, self._realm)
            connection.execute("COMMIT")
            done += a_transaction
        return done / (time.perf_counter() - began)


def _protect(connection: sqlite3.Connection, realm: int) -> None:
    now = time.time_ns() // 1_000_000
    effect = {
        "realm_id": realm,
        "namespace": "bench",
        "effect_key": f"effect:{next(_keys)}",
        "lease_token_hash": b"\0" * 32,
        "now": now,
        "agent_id": None,
        "run_id": None,
    }
    begun: dict[str, Any] = {
        **effect,
        "effect_name": None,
        "lease_duration_ms": 30_000,
        "workflow_name": None,
        "case_id": None,
        "input_json": None,
    }
    row, fence, _, _ = connection.execute(_SQL["lease"], begun).fetchone()
    detail = '{"priorState": "none", "leaseExpiresAt": "2026-05-17T09:30:00.250Z"}'
    line = (row, "LEASE_GRANTED", now, fence, None, None, detail)
    connection.execute(_SQL["add_event"], line)
    ended = {**effect, "fence_token": fence, "result": _RESULT, "source": "acted"}
    connection.execute(_SQL["commit"], ended).fetchone()
    line = (row, "COMMITTED", now, fence, None, None, '{"source": "acted"}')
    connection.execute(_SQL["add_event"], line)
