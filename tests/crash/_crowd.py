"""A process with many clients, to be killed: ``python -m tests.crash._crowd ORDERS`` (JSON).

Each client has effects to protect, which clients in other processes want as well, and asks again
until it knows how each of them ended. What it was told goes into a log, from which it goes on when
it is started again. It writes a byte to the pipe *progress* for every end that it learns, and
another for every call that failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from quatrain.verity import (
    AsyncVerityClient,
    CommitUncertainError,
    ConflictRetryConfig,
    EffectContext,
    Lease,
    LeaseConflictError,
    LeaseLostError,
    VerityClient,
    VerityServerError,
    VerityTransportError,
)

from ._fenced import FencedWorld, TooLateError

NAMESPACE = "chaos"
LEASE_MS = 5_000
"""The shortest there is: nobody moves this clock, and what the dead held has to run out."""
LEARNT, FAILED = b".", b"!"
PAUSE = 0.1
"""Seconds until a client whose call failed tries again."""
TRY_AGAIN = (VerityServerError, VerityTransportError, LeaseLostError, LeaseConflictError)
"""Nothing is decided by these."""


@attrs.frozen(kw_only=True)
class Orders:
    """What a process is to do."""

    flavour: str
    """async or sync"""
    url: str
    """The ledger's; its key is in the environment."""
    world: str
    log: str
    progress: int
    """The pipe's file descriptor."""
    wanted: list[list[str]]
    """Each client's effects, in its order."""
    dies_at: int = 0
    """The action after which it kills itself, once, before anybody hears of it; 0 for none."""


class Crowd:
    """What both flavours do."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.world = FencedWorld(Path(orders.world))
        self._log = os.open(orders.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        before = list(read_log(Path(orders.log)))
        self._learnt = {key for what, key, _ in before if what == "learnt"}
        self._dies_at = 0 if "dies" in {what for what, *_ in before} else orders.dies_at
        self._fences: dict[str, int] = {}
        """Of each effect the one that it was last told."""
        self._acted = 0

    def left(self, wanted: list[str]) -> list[str]:
        """What has to be found out about."""
        return [key for key in wanted if key not in self._learnt]

    def settings(self, number: int) -> dict[str, Any]:
        """Of a client."""
        patience = ConflictRetryConfig(max_attempts=20, initial_delay_s=0.02, max_delay_s=0.5)
        return {
            "base_url": self.orders.url,
            "namespace": NAMESPACE,
            "agent_id": f"{os.getpid()}-{number}",
            "conflict_retry": patience,
        }

    def options(self) -> dict[str, Any]:
        """For ``protect``."""
        return {"lease_duration_ms": LEASE_MS, "on_lease": self._leased}

    def _leased(self, lease: Any) -> None:
        self._fences[lease.effect_key] = lease.fence_token
        if isinstance(lease, Lease):
            self._note("leased", lease.effect_key, lease.fence_token)

    def act(self, context: EffectContext) -> Any:
        """Change the world, or notice that another has taken over. A result is nobody else's."""
        lease = context.lease
        assert lease is not None
        key, fence = context.effect_key, lease.fence_token
        result = {"by": os.getpid(), "fence": fence, "luck": random.random()}
        try:
            self.world.do(key, fence, result, held=lambda: lease.remaining() > 0)
        except TooLateError as exc:
            raise LeaseLostError(key, "somebody else is at it", fence) from exc
        self._acted += 1
        if self._acted == self._dies_at:
            self._note("dies", key, fence)
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def observe(self, context: EffectContext) -> Any:
        """What an earlier attempt did."""
        assert context.fence_token is not None
        return self.world.look(context.effect_key, context.fence_token)

    def learn(self, key: str, result: Any) -> None:
        """Note how an effect ended, and under which fence, as the ledger acknowledged it."""
        self._note("learnt", key, [self._fences[key], result])
        os.write(self.orders.progress, LEARNT)

    def failed(self, exc: Exception) -> None:
        """Note that a call did not get through."""
        self._note("failed", type(exc).__name__, str(exc))
        os.write(self.orders.progress, FAILED)

    def _note(self, *line: Any) -> None:
        os.write(self._log, json.dumps(line).encode() + b"\n")


def read_log(path: Path) -> Iterator[tuple[str, str, Any]]:
    """``(leased, key, fence)``, ``(dies, key, fence)``, ``(learnt, key, [fence, result])``, and
    ``(failed, error, text)``.
    """
    if path.exists():
        yield from (tuple(json.loads(line)) for line in path.read_text("utf-8").splitlines())


class AsyncCrowd(Crowd):
    """Tasks on one event loop, a client each."""

    def run(self) -> None:
        """Until every client knows of all its effects."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, wanted in enumerate(self.orders.wanted):
                group.create_task(self._work(number, wanted))

    async def _work(self, number: int, wanted: list[str]) -> None:
        async with AsyncVerityClient(**self.settings(number)) as client:
            for key in self.left(wanted):
                self.learn(key, await self._settle(client, key))

    async def _settle(self, client: AsyncVerityClient, key: str) -> Any:
        while True:
            try:
                return await client.protect(
                    key, act=self._act, observe=self.observe, **self.options()
                )
            except CommitUncertainError as exc:
                self.failed(exc)
                with contextlib.suppress(CommitUncertainError):
                    return await exc.resolve()
            except TRY_AGAIN as exc:
                self.failed(exc)
            await asyncio.sleep(PAUSE)

    async def _act(self, context: EffectContext) -> Any:
        while self.world.is_full():
            await asyncio.sleep(PAUSE)
        return self.act(context)


class SyncCrowd(Crowd):
    """Threads, a client each."""

    def run(self) -> None:
        """Until every client knows of all its effects."""
        lists = self.orders.wanted
        with ThreadPoolExecutor(len(lists)) as pool:
            list(pool.map(self._work, range(len(lists)), lists))

    def _work(self, number: int, wanted: list[str]) -> None:
        with VerityClient(**self.settings(number)) as client:

            @client.protected(key="{_}", observe=self._observe, **self.options())
            def effect(_: str, context: EffectContext) -> Any:
                while self.world.is_full():
                    time.sleep(PAUSE)
                return self.act(context)

            for key in self.left(wanted):
                self.learn(key, self._settle(effect, key))

    def _settle(self, effect: Callable[..., Any], key: str) -> Any:
        while True:
            try:
                return effect(key)
            except CommitUncertainError as exc:
                self.failed(exc)
                with contextlib.suppress(CommitUncertainError):
                    return exc.resolve()
            except TRY_AGAIN as exc:
                self.failed(exc)
            time.sleep(PAUSE)

    def _observe(self, _: str, context: EffectContext) -> Any:
        return self.observe(context)


def main() -> None:
    """Read the orders and follow them."""
    orders = Orders(**json.loads(sys.argv[1]))
    flavour = AsyncCrowd if orders.flavour == "async" else SyncCrowd
    flavour(orders).run()


if __name__ == "__main__":
    main()
