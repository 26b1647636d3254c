"""What is in the ledger at this moment: effects by state, and since when the oldest is in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import attrs

from quatrain.server.store import Connection, Store, queries

from .registry import Family, Sample

T = TypeVar("T")

_SQL: Final = queries.load("metrics")
_OPEN: Final = ("running", "expired", "failed", "reset")
_KEPT: Final = 15.0
"""Seconds for which an answer is given again: the database is asked no more often."""
_SHARE: Final = 0.02
"""Of the time, at most, that is spent on asking: counting all effects takes longer the more there
are, and every process on the database asks by itself."""


@attrs.frozen
class Open:
    """The effects that are in a state which waits for something."""

    counts: dict[str, int]
    ages: dict[str, float]
    """Seconds, of states that any effect is in."""


class Kept(Generic[T]):
    """What a query answered, until it is time to ask again: the later, the longer it took.

    It is asked once at a time, however many want to know, and to its end, though they give up.
    """

    def __init__(
        self, store: Store, query: Callable[[Connection, int, None], T], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._query = query
        self._clock = clock
        self._answer: tuple[float, T] | None = None
        self._asking: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Raises StoreUnavailableError."""
        if self._answer is not None and self._clock() <= self._answer[0]:
            return self._answer[1]
        loop = asyncio.get_running_loop()
        # another loop's question is one that a fork has left behind
        if self._asking is None or self._asking.get_loop() is not loop:
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)

    async def _ask(self) -> T:
        begun = self._clock()
        answer = await self._store.read(self._query, None)
        took = self._clock() - begun
        self._answer = begun + max(_KEPT, took / _SHARE), answer
        return answer

    def _asked(self, task: asyncio.Task[T]) -> None:
        if self._asking is task:
            self._asking = None
        if not task.cancelled():
            task.exception()  # who still waits is told; perhaps nobody does


class LedgerGauges:
    """Looks at the ledger, and not too often."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._open = Kept(store, open_effects, monotonic)
        self._committed = Kept(store, committed, monotonic)

    async def families(self) -> list[Family]:
        """Gauges. Raises StoreUnavailableError."""
        waiting = await self._open.get()
        counts = {**waiting.counts, "committed": await self._committed.get()}
        return [
            Family(
                "quatrain_effects",
                "gauge",
                "Effects of all tenants, by state; committed ones are counted less often where"
                " there are many.",
                ("state",),
                [Sample((name,), count) for name, count in counts.items()],
            ),
            Family(
                "quatrain_oldest_effect_seconds",
                "gauge",
                "How long ago the oldest effect began that runs, the lease ran out of the longest"
                " expired one, or the oldest failed or reset one came into its state.",
                ("state",),
                [Sample((name,), age) for name, age in waiting.ages.items()],
            ),
            Family(
                "quatrain_store_waiting_changes",
                "gauge",
                "Changes that wait for the next transaction.",
                (),
                [Sample((), self._store.waiting)],
            ),
        ]


def open_effects(connection: Connection, now: int, _: None) -> Open:
    """A query of the store: the states that few effects are in, by their indexes."""
    counts: dict[str, int] = {}
    ages: dict[str, float] = {}
    for state in _OPEN:
        count, since = connection.execute(_SQL[state], {"now": now}).fetchone()
        counts[state] = count
        if since is not None:
            ages[state] = max(0, now - since) / 1000
    return Open(counts, ages)


def committed(connection: Connection, now: int, _: None) -> int:
    """A query of the store: the others."""
    (every,) = connection.execute(_SQL["all"]).fetchone()
    return int(every) - sum(open_effects(connection, now, None).counts.values())
