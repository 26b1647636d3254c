"""What is in the ledger at this moment: effects by state, and since when the oldest is in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs

from quatrain.server.store import Connection, Store, queries

from .registry import Family, Sample

_SQL: Final = queries.load("metrics")
_OPEN: Final = ("running", "expired", "failed", "reset")
_KEPT: Final = 15.0
"""Seconds for which an answer is given again: the database is asked no more often."""


@attrs.frozen
class States:
    """One look."""

    counts: dict[str, int]
    ages: dict[str, float]
    """Seconds, of states that any effect is in."""


class LedgerGauges:
    """Looks at the ledger, and not too often."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._seen: tuple[float, States] | None = None

    async def families(self) -> list[Family]:
        """Gauges. Raises StoreUnavailableError."""
        now = self._monotonic()
        if self._seen is None or now - self._seen[0] > _KEPT:
            self._seen = now, await self._store.read(_look, None)
        states = self._seen[1]
        return [
            Family(
                "quatrain_effects",
                "gauge",
                "Effects of all tenants, by state.",
                ("state",),
                [Sample((name,), count) for name, count in states.counts.items()],
            ),
            Family(
                "quatrain_oldest_effect_seconds",
                "gauge",
                "How long ago the oldest effect began that runs, the lease ran out of the longest"
                " expired one, or the oldest failed or reset one came into its state.",
                ("state",),
                [Sample((name,), age) for name, age in states.ages.items()],
            ),
            Family(
                "quatrain_store_waiting_changes",
                "gauge",
                "Changes that wait for the next transaction.",
                (),
                [Sample((), self._store.waiting)],
            ),
        ]


def _look(connection: Connection, now: int, _: None) -> States:
    counts: dict[str, int] = {}
    ages: dict[str, float] = {}
    for state in _OPEN:
        count, since = connection.execute(_SQL[state], {"now": now}).fetchone()
        counts[state] = count
        if since is not None:
            ages[state] = max(0, now - since) / 1000
    (every,) = connection.execute(_SQL["all"]).fetchone()
    counts["committed"] = every - sum(counts.values())
    return States(counts, ages)
