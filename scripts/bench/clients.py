"""Protects a second through HTTP: ours, the official client and two bare httpx calls.

All of them work on the same ledger, which is a process of its own, with the same action. Each round
has a leg of each, one after the other in a new order, so that a slow moment of the machine meets
everyone alike; a ratio is the median of the rounds' own ratios. Processor time is told too: it is
what a busy machine distorts least.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx
from legs import Leg, Watch, compare
from platform_process import Ledger
from rows import Aim, Row

from quatrain.verity import AsyncVerityClient

NAMESPACE: Final = "bench"
_AIMS: Final = {1: Aim(at_least=1.0), 50: Aim(at_least=2.5), 100: Aim(at_least=2.5)}
_OURS: Final = "quatrain"
_OFFICIAL: Final = "official client"
_BARE: Final = "two bare httpx calls"

Protect = Callable[[str], Awaitable[object]]


async def act() -> dict[str, str]:
    """The action: nothing, so that only the protection is measured."""
    return {"receipt": "re_12345"}


def measure(ledger: Ledger, *, in_flight: list[int], rounds: int, seconds: float) -> list[Row]:
    """A row for each number in flight and each client compared with."""
    return asyncio.run(_measure(ledger, in_flight, rounds, seconds))


async def _measure(ledger: Ledger, in_flight: list[int], rounds: int, seconds: float) -> list[Row]:
    rows = []
    async with AsyncExitStack() as stack:
        contestants = {
            _OURS: await _ours(ledger, stack),
            _BARE: await _bare(ledger, stack),
        }
        official = await _official(ledger, stack)
        if official is not None:
            contestants[_OFFICIAL] = official
        for number in in_flight:
            legs = await _rounds(ledger, contestants, number, rounds, seconds)
            for other, aim in ((_OFFICIAL, _AIMS.get(number)), (_BARE, None)):
                what, theirs = f"{number} in flight", legs.get(other, [])
                rows.append(compare("protects over HTTP", what, legs[_OURS], other, theirs, aim))
    return rows


async def _rounds(
    ledger: Ledger,
    contestants: dict[str, Protect],
    in_flight: int,
    rounds: int,
    seconds: float,
) -> dict[str, list[Leg]]:
    legs: dict[str, list[Leg]] = {name: [] for name in contestants}
    names = list(contestants)
    for name in names:  # warm up: connections, caches
        await _leg(ledger, contestants[name], in_flight, seconds / 2)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            legs[name].append(await _leg(ledger, contestants[name], in_flight, seconds))
    return legs


_keys: Final[Iterator[int]] = itertools.count()


async def _leg(ledger: Ledger, protect: Protect, in_flight: int, seconds: float) -> Leg:
    done = 0
    watch = Watch(seconds, ledger.cpu_seconds)

    async def work() -> None:
        nonlocal done
        while watch.running():
            await protect(f"effect:{next(_keys)}")
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return watch.leg(done)


# -- the contestants ------------------------------------------------------------------------------


async def _ours(ledger: Ledger, stack: AsyncExitStack) -> Protect:
    client = AsyncVerityClient(
        base_url=ledger.base_url, api_key=ledger.api_key, namespace=NAMESPACE
    )
    await stack.enter_async_context(client)
    return lambda key: client.protect(key, act=act)


async def _official(ledger: Ledger, stack: AsyncExitStack) -> Protect | None:
    try:
        official: Any = importlib.import_module("verity")
    except ImportError:
        return None
    client = await stack.enter_async_context(
        official.VerityClient(base_url=ledger.base_url, api_key=ledger.api_key, namespace=NAMESPACE)
    )
    return lambda key: client.protect(key, act=act)


async def _bare(ledger: Ledger, stack: AsyncExitStack) -> Protect:
    client = await stack.enter_async_context(
        httpx.AsyncClient(
            base_url=f"{ledger.base_url}/effects/{NAMESPACE}",
            headers={"authorization": f"Bearer {ledger.api_key}"},
        )
    )

    async def protect(key: str) -> None:
        answer = await client.post("/lease", json={"effectKey": key})
        lease = answer.raise_for_status().json()
        result = await act()
        held = {name: lease[name] for name in ("effectKey", "fenceToken", "leaseToken")}
        body = {**held, "result": result, "source": "acted"}
        (await client.post("/commit", json=body)).raise_for_status().json()

    return protect
