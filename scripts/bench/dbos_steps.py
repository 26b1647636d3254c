"""What DBOS does with steps, in a process of its own: told what to run, it prints the rate.

    python scripts/bench/dbos_steps.py postgresql://…

Each line of its input is a way, how many at once, and for how many seconds; each line of its output
is steps a second. A step does nothing, as the actions of the ledger's protects do. The time begins
when all workflows have, and ends with the last step: what beginning and ending one costs counts for
nothing. Nothing is logged or traced, and there is a connection for each that is in flight.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

dbos: Any = importlib.import_module("dbos")
DBOS = dbos.DBOS
_PATIENCE = 60
"""Seconds for all workflows to begin."""


def _act() -> str:
    return '{"receipt":"re_12345"}'


async def _act_async() -> str:
    return '{"receipt":"re_12345"}'


step: Callable[[], str] = DBOS.step()(_act)
step_async: Callable[[], Awaitable[str]] = DBOS.step()(_act_async)


class Start:
    """All wait for each other, and begin at once."""

    def __init__(self, at_once: int) -> None:
        self.of_threads = threading.Barrier(at_once)
        self.of_tasks = asyncio.Barrier(at_once)


start = Start(1)


def _steps(seconds: float) -> tuple[int, float, float]:
    """One step after the other until the time is over; how many, and when it began and ended."""
    start.of_threads.wait(_PATIENCE)
    began = time.perf_counter()
    done = 0
    while time.perf_counter() < began + seconds:
        step()
        done += 1
    return done, began, time.perf_counter()


async def _steps_async(seconds: float) -> tuple[int, float, float]:
    await start.of_tasks.wait()
    began = time.perf_counter()
    done = 0
    while time.perf_counter() < began + seconds:
        await step_async()
        done += 1
    return done, began, time.perf_counter()


workflow: Any = DBOS.workflow()(_steps)
workflow_async: Any = DBOS.workflow()(_steps_async)


def in_threads(at_once: int, seconds: float) -> list[Any]:
    """Steps of as many workflows at once, each in a thread."""
    if at_once == 1:
        return [workflow(seconds)]
    handles = [DBOS.start_workflow(workflow, seconds) for _ in range(at_once)]
    return [handle.get_result() for handle in handles]


async def on_a_loop(at_once: int, seconds: float) -> list[Any]:
    """The same on one event loop."""
    return await asyncio.gather(*(workflow_async(seconds) for _ in range(at_once)))


def rate(told: list[Any]) -> float:
    """Steps a second of all workflows."""
    done, began, ended = zip(*told, strict=True)
    return float(sum(done) / (max(ended) - min(began)))


def main() -> None:
    """Serve."""
    global start  # noqa: PLW0603  workflows are given what can be written down
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
        start = Start(int(at_once))
        if way == "threads":
            told = in_threads(int(at_once), float(seconds))
        else:
            told = asyncio.run(on_a_loop(int(at_once), float(seconds)))
        print(rate(told), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
