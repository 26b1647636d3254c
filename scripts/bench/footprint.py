"""What the client takes besides time: memory of held leases, threads, and its import."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Final

from platform_process import Ledger
from rows import Aim, Row, paired

from quatrain.verity import AsyncVerityClient, VerityClient

LEASES: Final = 2_000
CALLERS: Final = 200


def memory(ledger: Ledger) -> list[Row]:
    """What tracemalloc counts for a protect that holds its lease, its task included."""
    return [
        Row(
            group="memory of a held lease",
            what=f"{LEASES:,} concurrent protects",
            unit="kB",
            ours=asyncio.run(_held(ledger)) / 1000,
            note="by tracemalloc: the lease, its renewal and the caller's task",
        )
    ]


async def _held(ledger: Ledger) -> float:
    """Bytes a protect."""
    waiting, all_wait, go = 0, asyncio.Event(), asyncio.Event()

    async def act() -> None:
        nonlocal waiting
        waiting += 1
        if waiting == LEASES:
            all_wait.set()
        await go.wait()

    async with (
        AsyncVerityClient(
            base_url=ledger.base_url, api_key=ledger.api_key, namespace="memory"
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        # caches and connections first: they do not grow with the leases
        for number in range(100):
            await client.protect(f"warm:{id(group)}:{number}", act=_nothing)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(LEASES):
                key = f"held:{id(group)}:{number}"
                group.create_task(client.protect(key, act=act, lease_duration_ms=120_000))
            await all_wait.wait()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            go.set()
    return (after - before) / LEASES


async def _nothing() -> None:
    pass


def threads(ledger: Ledger) -> list[Row]:
    """Threads of sync protects while all hold their leases, beyond the callers' own."""
    inside, out = threading.Barrier(CALLERS + 1), threading.Barrier(CALLERS + 1)
    before = threading.active_count()

    def act() -> None:
        inside.wait()
        out.wait()

    with VerityClient(
        base_url=ledger.base_url, api_key=ledger.api_key, namespace="threads"
    ) as client:

        def protect(number: int) -> None:
            client.protect(f"held:{id(client)}:{number}", act=act)

        callers = [threading.Thread(target=protect, args=(n,)) for n in range(CALLERS)]
        for caller in callers:
            caller.start()
        inside.wait()
        beyond = threading.active_count() - before - CALLERS
        out.wait()
        for caller in callers:
            caller.join()
    return [
        Row(
            group="threads beyond the callers'",
            what=f"{CALLERS} sync protects",
            unit="threads",
            ours=beyond,
        )
    ]


_IMPORT: Final = """
import sys, time
# httpx and httpcore take these along where they happen to be installed
sys.modules.update(dict.fromkeys(("click", "rich", "pygments", "trio")))
began = time.process_time()
{statement}
print(time.process_time() - began)
"""


def imports(directory: Path, *, rounds: int) -> list[Row]:
    """Processor time of imports in new processes, against httpx's, as in a plain install."""
    statements = {
        "import quatrain": "import quatrain",
        "AsyncClient": "from quatrain import AsyncClient",
        "quatrain.verity": "import quatrain.verity",
    }
    theirs: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in statements}
    for number in range(-1, rounds):  # the first compiles
        took = _import("import httpx", directory)
        others = {name: _import(text, directory) for name, text in statements.items()}
        if number >= 0:
            theirs.append(took)
            for name, seconds in others.items():
                ours[name].append(seconds)
    rows = []
    for name, measured in ours.items():
        mine, httpx, ratio = paired(measured, theirs)
        rows.append(
            Row(
                group="import",
                what=name,
                unit="ms",
                ours=None if mine is None else mine * 1000,
                against="import httpx",
                theirs=None if httpx is None else httpx * 1000,
                ratio=ratio,
                aim=Aim(at_most=1.25),
            )
        )
    return rows


def _import(statement: str, directory: Path) -> float:
    """Seconds."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(directory)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or the compiler would be measured
    ran = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(statement=statement)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(ran.stdout)
