"""How long a walk through an audit log takes: ours, in both flavours, and the official client's.

    python scripts/bench/pages.py               everything, as a table
    python scripts/bench/pages.py --markdown    the README's table
    python scripts/bench/pages.py --json

The server waits 0, 5 and 50 ms before it answers; whoever walks works 5 ms on each page: waits, as
for a database, or computes. Each round has a walk of each, one after the other in a new order; a
ratio is the median of the rounds' own ratios of rows a second. Compares with the official client
where it is installed (``pip install velerian-sdk``).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import attrs
from page_server import PAGE, PAGES, ROWS, page, served
from rows import Aim, Row, as_json, as_markdown, as_text, paired

from quatrain.velerian import AsyncVelerianClient, VelerianClient

_WORK: Final = 0.005
"""Seconds of work on a page."""
_LATENCIES: Final = (0, 5, 50)
_AIMS: Final = {0: Aim(at_least=1.0), 5: Aim(at_least=1.6)}
_FLAVOURS: Final = ("sync", "async")
_JSON: Final = "json.loads alone"
_OFFICIAL: Final = "official client"
_KEY: Final = "vk_live_benchmark"

Walk = Callable[[str], int]
"""Walk the log, with a kind of work on each page; the number of rows."""


# -- the work -------------------------------------------------------------------------------------


def _compute() -> None:
    end = time.perf_counter() + _WORK
    while time.perf_counter() < end:
        pass


_WORKS: Final[dict[str, Callable[[], None]]] = {
    "waits": lambda: time.sleep(_WORK),
    "computes": _compute,
    "does nothing": lambda: None,
}


async def _wait() -> None:
    await asyncio.sleep(_WORK)


async def _compute_in_loop() -> None:
    _compute()


async def _nothing() -> None:
    pass


_ASYNC_WORKS: Final[dict[str, Callable[[], Awaitable[None]]]] = {
    "waits": _wait,
    "computes": _compute_in_loop,
    "does nothing": _nothing,
}


def _consume(rows: Iterator[Any], work: Callable[[], None]) -> int:
    count = 0
    for count, _ in enumerate(rows, 1):
        if count % PAGE == 0:
            work()
    return count


# -- who walks ------------------------------------------------------------------------------------


def _sync_walks(origin: str, stack: ExitStack) -> Walk:
    client = stack.enter_context(VelerianClient(api_key=_KEY, base_url=origin))
    return lambda work: _consume(client.iter_audit_log(page_size=PAGE), _WORKS[work])


def _async_walks(origin: str, stack: ExitStack) -> Walk:
    client = AsyncVelerianClient(api_key=_KEY, base_url=origin)
    runner = stack.enter_context(asyncio.Runner())
    stack.callback(lambda: runner.run(client.aclose()))

    async def walk(work: Callable[[], Awaitable[None]]) -> int:
        count = 0
        async for _ in client.iter_audit_log(page_size=PAGE):
            count += 1
            if count % PAGE == 0:
                await work()
        return count

    return lambda work: runner.run(walk(_ASYNC_WORKS[work]))


def _official_walks(origin: str, stack: ExitStack) -> Walk | None:
    try:
        official: Any = importlib.import_module("velerian_sdk")
    except ImportError:
        return None
    client = stack.enter_context(official.VelerianClient(api_key=_KEY, base_url=origin))
    return lambda work: _consume(client.iter_audit_log(page_size=PAGE), _WORKS[work])


def _json_alone(_work: str) -> int:
    return sum(len(json.loads(body)["items"]) for body in _bodies)


_bodies: Final = [page(PAGE, number * PAGE) for number in range(PAGES)]


# -- rounds ---------------------------------------------------------------------------------------


@attrs.define
class Bench:
    """What the measurements share."""

    origin: str
    rounds: int

    def compare(self, latency: int, work: str) -> list[Row]:
        """A row for each flavour, against the official client."""
        with ExitStack() as stack:
            walks = self._ours(latency, stack)
            official = _official_walks(self._origin(latency), stack)
            if official is not None:
                walks[_OFFICIAL] = official
            found = self._rounds(walks, work)
        aim = None if work == "does nothing" else _AIMS.get(latency)
        what = f"server {latency} ms, caller {work}"
        return [_row(f"{flavour}, {what}", found, flavour, _OFFICIAL, aim) for flavour in _FLAVOURS]

    def decoding(self) -> list[Row]:
        """Rows a second where nobody waits or works, against ``json.loads`` of the same bytes."""
        with ExitStack() as stack:
            found = self._rounds(self._ours(0, stack) | {_JSON: _json_alone}, "does nothing")
        return [_row(f"{flavour}, rows decoded", found, flavour, _JSON) for flavour in _FLAVOURS]

    def _ours(self, latency: int, stack: ExitStack) -> dict[str, Walk]:
        origin = self._origin(latency)
        return {"sync": _sync_walks(origin, stack), "async": _async_walks(origin, stack)}

    def _origin(self, latency: int) -> str:
        return f"{self.origin}/wait/{latency}" if latency else self.origin

    def _rounds(self, walks: dict[str, Walk], work: str) -> dict[str, list[float]]:
        rates: dict[str, list[float]] = {name: [] for name in walks}
        names = list(walks)
        for name in names:  # warm up: connections, canned answers
            walks[name]("does nothing")
        for number in range(self.rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                began = time.perf_counter()
                rows = walks[name](work)
                rates[name].append(rows / (time.perf_counter() - began))
                if rows != ROWS:
                    raise RuntimeError(f"{name} saw {rows} rows of {ROWS}")
        return rates


def _row(
    what: str, found: dict[str, list[float]], ours: str, against: str, aim: Aim | None = None
) -> Row:
    mine, theirs, ratio = paired(found[ours], found.get(against, []))
    return Row(
        group="audit log",
        what=what,
        unit="rows/s",
        ours=mine,
        against=against,
        theirs=theirs,
        ratio=ratio,
        aim=aim,
        note="" if theirs else f"the {against} is not installed",
    )


def main() -> None:
    """Measure and print."""
    options = _options()
    # as in effects.py: most programs have none, and its spans would be measured
    sys.modules["opentelemetry"] = None  # type: ignore[assignment]
    with ExitStack() as stack:
        bench = Bench(stack.enter_context(served()), options.rounds)
        rows = [row for ms in _LATENCIES for row in bench.compare(ms, "waits")]
        rows += [row for ms in (0, 5) for row in bench.compare(ms, "computes")]
        rows += bench.compare(0, "does nothing")
        rows += bench.decoding()
    print(options.show(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="of each comparison")
    form = parser.add_mutually_exclusive_group()
    for flag, show in (("--json", as_json), ("--markdown", as_markdown)):
        form.add_argument(flag, dest="show", action="store_const", const=show, default=as_text)
    return parser.parse_args()


if __name__ == "__main__":
    main()
