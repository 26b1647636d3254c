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


_ALONE: Final = "import httpx"
_WITH_CLIENT: Final = "import httpx; httpx.AsyncClient(verify=False)"  # ours loads no certificates
_OUR_CLIENT: Final = """
from quatrain.verity import AsyncVerityClient as Client
Client(base_url="http://127.0.0.1:9/v1", api_key="none")
"""
_PAIRS: Final = (
    ("import quatrain", "import quatrain", "import httpx", _ALONE, Aim(at_most=1.25)),
    ("AsyncClient", "from quatrain import AsyncClient", "import httpx", _ALONE, Aim(at_most=1.25)),
    ("quatrain.verity", "import quatrain.verity", "import httpx", _ALONE, Aim(at_most=1.25)),
    ("and a first client", _OUR_CLIENT, "httpx and a first client", _WITH_CLIENT, None),
)


def imports(directory: Path, *, rounds: int) -> list[Row]:
    """Processor time of imports in new processes, against httpx's, as in a plain install."""
    rows = []
    for what, statement, against, other, aim in _PAIRS:
        ours, theirs = [], []
        for number in range(-1, rounds):  # the first compiles
            pair = _import(statement, directory), _import(other, directory)
            if number >= 0:
                ours.append(pair[0] * 1000)
                theirs.append(pair[1] * 1000)
        mine, httpx, ratio = paired(ours, theirs)
        rows.append(
            Row(
                group="import",
                what=what,
                unit="ms",
                ours=mine,
                against=against,
                theirs=httpx,
                ratio=ratio,
                aim=aim,
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
