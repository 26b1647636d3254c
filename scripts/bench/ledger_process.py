"""The ledger on PostgreSQL in a process of its own: told what to do, it prints what it did.

    python scripts/bench/ledger_process.py postgresql://… REALM

Each line of its input is how many in flight and for how many seconds; each line of its output is
protects a second and seconds of processor time a protect. Several such processes are replicas.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from legs import Leg, Watch

from quatrain.server.ledger import EffectId, Holder, Ledger
from quatrain.server.store import store_on

_RESULT = '{"receipt":"re_12345"}'
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
            await ledger.commit(holder, result=_RESULT, source="acted")
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return watch.leg(done)


def main() -> None:
    """Serve."""
    url, realm = sys.argv[1:]
    with store_on(url) as store:
        ledger = Ledger(store)
        for line in sys.stdin:
            in_flight, seconds = line.split()
            leg = asyncio.run(protects(ledger, int(realm), int(in_flight), float(seconds)))
            print(leg.rate, leg.cpu, flush=True)


if __name__ == "__main__":
    main()
