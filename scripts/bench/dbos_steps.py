"""What DBOS does with steps, in a process of its own: told what to run, it prints the rate.

    python scripts/bench/dbos_steps.py postgresql://…

Each line of its input is a way, how many at once, and for how many seconds; each line of its output
is steps a second. A step does nothing, as the actions of the ledger's protects do. Workflows are
long, so that what beginning and ending one costs counts for nothing. Nothing is logged or traced,
and there is a connection for each that is in flight.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

dbos: Any = importlib.import_module("dbos")
DBOS = dbos.DBOS


def _act() -> str:
    return '{"receipt":"re_12345"}'


async def _act_async() -> str:
    return '{"receipt":"re_12345"}'


step: Callable[[], str] = DBOS.step()(_act)
step_async: Callable[[], Awaitable[str]] = DBOS.step()(_act_async)


def _steps(seconds: float) -> int:
    """One step after the other until the time is over; how many."""
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        step()
        done += 1
    return done


async def _steps_async(seconds: float) -> int:
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        await step_async()
        done += 1
    return done


workflow: Any = DBOS.workflow()(_steps)
workflow_async: Any = DBOS.workflow()(_steps_async)


def in_threads(at_once: int, seconds: float) -> int:
    """Steps of as many workflows at once, each in a thread."""
    if at_once == 1:
        return int(workflow(seconds))
    handles = [DBOS.start_workflow(workflow, seconds) for _ in range(at_once)]
    return sum(handle.get_result() for handle in handles)


async def on_a_loop(at_once: int, seconds: float) -> int:
    """The same on one event loop."""
    return sum(await asyncio.gather(*(workflow_async(seconds) for _ in range(at_once))))


def main() -> None:
    """Serve."""
    config = {
        "name": "bench",
        "system_database_url": sys.argv[1],
        "sys_db_pool_size": 64,
        "log_level": "CRITICAL",
    }
    DBOS(config=config)
    DBOS.launch()
    for line in sys.stdin:
        way, at_once, seconds = line.split()
        began = time.perf_counter()
        if way == "threads":
            done = in_threads(int(at_once), float(seconds))
        else:
            done = asyncio.run(on_a_loop(int(at_once), float(seconds)))
        print(done / (time.perf_counter() - began), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
