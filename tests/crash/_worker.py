"""A worker, to be killed: ``python -m tests.crash._worker ORDERS``, where ORDERS is JSON.

It protects every effect, once over in an order of its own, several at a time; writes a dot to its
standard output at every step, and kills itself at the one it was told to.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from quatrain import AsyncClient, Client
from quatrain.verity import (
    AsyncVerityClient,
    ConflictRetryConfig,
    LeaseConflictError,
    VerityClient,
)

from ._clock import SharedClock
from ._world import World

LEASE_MS = 120_000
"""As long as can be, so that none runs out unless the test moves the clock, however slow a machine
is; nobody waits for it."""
ACTED = "acted"
ANY = "any"
ASYNC_AT_ONCE = 8
SYNC_AT_ONCE = 4


@attrs.frozen(kw_only=True)
class Orders:
    """What a worker is to do."""

    flavour: str
    """async or sync"""
    world: str
    effects: int
    seed: int
    """Of the order it goes in."""
    dies_at: tuple[str, int] | None
    """The step it kills itself at: which one, and of what kind."""
    patience: int
    """How often it asks for a lease that another worker holds; then it leaves the effect alone."""
    url: str | None = None
    """The ledger's; its key is in the environment."""
    database: str | None = None
    """Instead of a URL: a local platform on this file."""
    clock: str | None = None
    """The local platform's."""


class Worker:
    """What both flavours do."""

    def __init__(self, orders: Orders) -> None:
        self._steps: Counter[str] = Counter()
        self._dies_at = orders.dies_at and tuple(orders.dies_at)
        self._world = World(Path(orders.world))
        self.keys = [f"effect-{number}" for number in range(orders.effects)]
        random.Random(orders.seed).shuffle(self.keys)

    def step(self, kind: str) -> None:
        """Say so, and end here if this is the one."""
        os.write(1, b".")
        for each in (kind, ANY):
            self._steps[each] += 1
            if (each, self._steps[each]) == self._dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def act(self, key: str) -> str:
        """With a step before the world changes, and one after."""
        self.step("acting")
        result = self._world.do(key)
        self.step(ACTED)
        return result

    async def act_async(self, key: str) -> str:
        """The same, while other tasks go on."""
        await asyncio.sleep(0)
        result = self.act(key)
        await asyncio.sleep(0)
        return result

    def observe(self, key: str) -> str | None:
        """Whether an earlier attempt came so far."""
        self.step("observing")
        found = self._world.find(key)
        self.step("observed")
        return found

    def options(self, key: str) -> dict[str, Any]:
        """For ``protect``."""
        return {
            "observe": functools.partial(self.observe, key),
            "on_lease": lambda _: self.step("leased"),
            "lease_duration_ms": LEASE_MS,
        }


def settings_of(orders: Orders) -> dict[str, Any]:
    """Of a client that speaks to a server."""
    patience = ConflictRetryConfig(
        max_attempts=orders.patience, initial_delay_s=0.002, max_delay_s=0.02
    )
    return {"base_url": orders.url, "namespace": "crash", "conflict_retry": patience}


async def run_async(worker: Worker, orders: Orders) -> None:
    """Several tasks on one event loop."""
    keys = iter(worker.keys)

    async def go_on(verity: AsyncVerityClient) -> None:
        for key in keys:
            # every other one blocks a thread
            act: Callable[[str], Any] = worker.act if len(key) % 2 else worker.act_async
            try:
                await verity.protect(key, act=functools.partial(act, key), **worker.options(key))
            except LeaseConflictError:
                continue
            worker.step("done")

    async def all_of(verity: AsyncVerityClient) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(ASYNC_AT_ONCE):
                group.create_task(go_on(verity))

    if orders.database is not None:
        async with AsyncClient.local(orders.database, namespace="crash") as client:
            client.verity._conflict_retry = settings_of(orders)["conflict_retry"]
            await all_of(client.verity)
    else:
        async with AsyncVerityClient(**settings_of(orders)) as verity:
            await all_of(verity)


def run_sync(worker: Worker, orders: Orders) -> None:
    """Several threads."""

    def protect(verity: VerityClient, key: str) -> None:
        act = functools.partial(worker.act, key)
        try:
            verity.protect(key, act=act, **worker.options(key))
        except LeaseConflictError:
            return
        worker.step("done")

    def all_of(verity: VerityClient) -> None:
        with ThreadPoolExecutor(SYNC_AT_ONCE) as pool:
            list(pool.map(functools.partial(protect, verity), worker.keys))

    if orders.database is not None:
        with Client.local(orders.database, namespace="crash") as client:
            client.verity._conflict_retry = settings_of(orders)["conflict_retry"]
            all_of(client.verity)
    else:
        with VerityClient(**settings_of(orders)) as verity:
            all_of(verity)


def share_clock(clock: SharedClock) -> None:
    """Have the local platform of this process follow it."""
    from quatrain.server import app, local  # they take time to import, and not all need them

    local.create_app = functools.partial(app.create_app, now_ms=clock)


def main() -> None:
    """Read the orders and follow them."""
    orders = Orders(**json.loads(sys.argv[1]))
    if orders.clock is not None:
        share_clock(SharedClock(Path(orders.clock)))
    worker = Worker(orders)
    if orders.flavour == "async":
        asyncio.run(run_async(worker, orders))
    else:
        run_sync(worker, orders)


if __name__ == "__main__":
    main()
