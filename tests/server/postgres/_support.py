"""What the tests of the store on PostgreSQL share."""

from __future__ import annotations

import asyncio

from quatrain.server.store import Store

FOREVER = 60.0
"""Seconds for what must happen, however slow the machine is."""


async def until(store: Store, statement: str) -> None:
    """Wait until it answers a number above 0."""
    async with asyncio.timeout(FOREVER):
        while not await store.read(lambda c, _now, _: c.execute(statement).fetchone()[0], None):
            await asyncio.sleep(0)
