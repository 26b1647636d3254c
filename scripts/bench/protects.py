"""Protects in the ledger, without HTTP: what every measurement of it does."""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Final

from legs import Leg, Watch

from quatrain.server.ledger import EffectId, Holder, Ledger

RESULT: Final = '{"receipt":"re_12345"}'
_keys = itertools.count()


async def protects(ledger: Ledger, realm: int, in_flight: int, seconds: float) -> Leg:
    """Lease a new effect, do nothing, commit; *in_flight* of them at once."""
    done = 0
    watch = Watch(seconds)

    async def work() -> None:
        nonlocal done
        while watch.running():
            effect = EffectId(realm, "bench", f"effect:{os.getpid()}:{next(_keys)}")
            answer = await ledger.lease(effect)
            if not isinstance(answer, tuple):
                raise TypeError("a new effect was settled already")
            granted, token = answer
            holder = Holder(effect, granted.fence_token, token)
            await ledger.commit(holder, result=RESULT, source="acted")
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return watch.leg(done)
