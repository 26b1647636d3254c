"""What the tests of the store on PostgreSQL share."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from quatrain.server.store import Store
from quatrain.server.store.connection import side_by_side

from ..test_store import queued

FOREVER = 60.0
"""Seconds for what must happen, however slow the machine is."""


async def until(store: Store, statement: str) -> None:
    """Wait until it answers a number above 0."""
    async with asyncio.timeout(FOREVER):
        while not await store.read(lambda c, _now, _: c.execute(statement).fetchone()[0], None):
            await asyncio.sleep(0)


async def in_one_batch(store: Store, *writes: tuple[Any, Any]) -> list[Any]:
    """Run operations that may run side by side in one transaction."""
    entered, release = threading.Event(), threading.Event()

    @side_by_side(lambda _: ())
    def block(connection: Any, now: int, _: None) -> None:
        entered.set()
        release.wait()

    store.write_unawaited(block, None)
    await asyncio.to_thread(entered.wait)
    tasks = [asyncio.create_task(store.write(*write)) for write in writes]
    await queued(store, len(writes))
    release.set()
    return await asyncio.gather(*tasks)
