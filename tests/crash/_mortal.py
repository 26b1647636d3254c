"""A process that dies at each statement in turn: ``python -m tests.crash._mortal DIRECTORY``.

For every number there is a database ``<number>.db`` whose process was killed when it was about to
run its statement of that number; the last one lived to the end. Beside each, ``<number>.answered``
has a byte for every answer that its process had got.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from quatrain.server.keys import KeyRing
from quatrain.server.ledger import EffectId, Holder, Ledger
from quatrain.server.store import SqliteStore
from quatrain.server.store.sqlite.files import DatabaseFile

from ._clock import START
from ._worker import LEASE_MS

LIFETIME = 30
"""Seconds after which a process ends that should have by itself."""


class Clock:
    """The process's own."""

    now = START

    def __call__(self) -> int:
        return self.now


async def life(store: SqliteStore, clock: Clock, name: str) -> AsyncGenerator[int]:
    """Every operation of the ledger; with each answer, how many lines the audit got longer."""
    keys = KeyRing(store)
    _, secret = await asyncio.to_thread(keys.create)
    yield 0
    principal = await keys.authenticate(secret.reveal().encode())
    assert principal is not None
    ledger = Ledger(store)

    async def lease(effect: EffectId) -> Holder:
        answer: Any = await ledger.lease(effect, lease_duration_ms=LEASE_MS)
        granted, token = answer
        return Holder(effect, granted.fence_token, token)

    done, expired, failed = (
        EffectId(principal.realm_id, "ns", f"{name}: {end}")
        for end in ("done", "expired", "failed")
    )
    holder = await lease(done)
    yield 1
    await ledger.commit(holder, result="1", source="acted")
    yield 1
    holder = await lease(expired)
    yield 1
    await ledger.renew(holder)
    yield 1
    clock.now += LEASE_MS + 1
    holder = await lease(expired)
    yield 2
    await ledger.report_observe(holder, hit=True)
    yield 1
    await ledger.commit(holder, result="1", source="observed")
    yield 1
    holder = await lease(failed)
    yield 1
    await ledger.fail(holder, error='"no"')
    yield 1
    await ledger.reset(failed, reason="looked into", by="somebody")
    yield 1
    await lease(failed)
    yield 1


async def live(path: Path) -> None:
    """Note every answer where it outlives the process."""
    clock = Clock()
    with (
        path.with_suffix(".answered").open("ab", buffering=0) as answered,
        SqliteStore(path, now_ms=clock) as store,
    ):
        async for added in life(store, clock, "first"):
            answered.write(b"%d" % added)


def die_at(number: int) -> None:
    """Of all connections' statements, transactions' begins and ends among them."""
    connect = DatabaseFile.connect
    numbers = itertools.count(1)

    def count(_: str) -> None:
        if next(numbers) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect_counted(file: DatabaseFile) -> sqlite3.Connection:
        connection = connect(file)
        connection.set_trace_callback(count)
        return connection

    DatabaseFile.connect = connect_counted  # type: ignore[method-assign]


def main() -> None:
    """A process for each number, until one lives on."""
    directory = Path(sys.argv[1])
    for number in itertools.count(1):
        path = directory / f"{number}.db"
        child = os.fork()
        if child == 0:
            signal.alarm(LIFETIME)
            die_at(number)
            asyncio.run(live(path))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    main()
