"""Whether events that are pushed fast reach two subscribers whole, in order and once.

    python scripts/bench/live_events.py                     5,000/s for 10 seconds
    python scripts/bench/live_events.py --rate 10000 --seconds 5
    python scripts/bench/live_events.py --json, --markdown

A platform in a process of its own serves a new database. Events are published through its
management API, a tenth of a second's at a time, while ``Vendo`` and ``AsyncVendo`` listen, a thread
each. "behind" is how long after the last event was published the last one was heard. Ends with 1
unless both heard each event once and in order.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
from platform_process import Ledger, served
from rows import Aim, Row, as_json, as_markdown, as_text

from quatrain.server.keys import KeyRing, Scope
from quatrain.server.store import SqliteStore
from quatrain.server.vendo.keys import AppKeys
from quatrain.vendo import AsyncVendo, Message, Vendo

_TURN: Final = 0.1
"""Seconds of events that are published in one request."""
_PATIENCE: Final = 120.0
_NONE: Final = Aim(at_most=0)


@attrs.define
class Subscriber:
    """What one has heard."""

    flavour: str
    total: int
    numbers: list[int] = attrs.field(factory=list)
    ended: float = 0.0
    begun: threading.Event = attrs.field(factory=threading.Event)

    def take(self, message: Message) -> bool:
        """Whether that was the last one."""
        self.numbers.append(message.data["micros"])
        self.begun.set()
        if len(self.numbers) < self.total:
            return False
        self.ended = time.perf_counter()
        return True

    @property
    def wrong(self) -> int:
        """Events that were lost, came twice, or out of order."""
        return sum(a != b for a, b in zip(self.numbers, range(self.total), strict=False)) + abs(
            self.total - len(self.numbers)
        )


def _listen(settings: dict[str, Any], subscriber: Subscriber) -> None:
    with Vendo(**settings) as vendo, vendo.events.subscribe(last_event_id="0") as stream:
        for message in stream:
            if subscriber.take(message):
                return


def _listen_async(settings: dict[str, Any], subscriber: Subscriber) -> None:
    async def main() -> None:
        async with (
            AsyncVendo(**settings) as vendo,
            vendo.events.subscribe(last_event_id="0") as stream,
        ):
            async for message in stream:
                if subscriber.take(message):
                    return

    asyncio.run(main())


def _publish(ledger: Ledger, manager: str, first: int, count: int) -> None:
    events = [
        {"kind": "billing.usage_recorded", "fields": {"provider": "bench", "micros": number}}
        for number in range(first, first + count)
    ]
    answer = httpx.post(
        f"{ledger.origin}/manage/v1/vendo/events",
        json={"events": events},
        headers={"authorization": f"Bearer {manager}"},
    )
    answer.raise_for_status()


def measure(ledger: Ledger, rate: int, seconds: float) -> list[Row]:
    """A row for each subscriber, and one for the rate that was kept."""
    with SqliteStore(ledger.database) as store:
        _, key = AppKeys(store).create("local", "bench")
        _, manager = KeyRing(store).create(tenant="local", scopes=[Scope.MANAGE])
    settings = {
        "api_key": key,
        "base_url": ledger.origin,
        "credentials_url": f"{ledger.origin}/credentials",
        "data_proxy_url": f"{ledger.origin}/composio",
    }
    turn = max(1, round(rate * _TURN))
    total = 1 + turn * round(seconds / _TURN)
    subscribers = [Subscriber("sync", total), Subscriber("async", total)]
    threads = [
        threading.Thread(target=listen, args=(settings, subscriber), daemon=True)
        for listen, subscriber in zip((_listen, _listen_async), subscribers, strict=True)
    ]
    for thread in threads:
        thread.start()
    _publish(ledger, manager.reveal(), 0, 1)
    for subscriber in subscribers:  # then both listen
        if not subscriber.begun.wait(_PATIENCE):
            raise RuntimeError("a subscriber heard nothing")
    began = time.perf_counter()
    for number, first in enumerate(range(1, total, turn)):
        time.sleep(max(0.0, began + number * _TURN - time.perf_counter()))
        _publish(ledger, manager.reveal(), first, turn)
    published = time.perf_counter()
    for thread in threads:
        thread.join(_PATIENCE)
    rows = [
        Row(
            group="live events", what="published", unit="/s", ours=(total - 1) / (published - began)
        )
    ]
    for subscriber in subscribers:
        lost = f"{subscriber.flavour}, wrong of {total:,}"
        rows.append(Row(group="live events", what=lost, unit="", ours=subscriber.wrong, aim=_NONE))
        behind = max(0.0, subscriber.ended - published)
        rows.append(
            Row(group="live events", what=f"{subscriber.flavour}, behind", unit="s", ours=behind)
        )
    return rows


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, served(Path(directory)) as ledger:
        rows = measure(ledger, options.rate, options.seconds)
    shown = as_json if options.json else as_markdown if options.markdown else as_text
    print(shown(rows))
    if any(row.met is False for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
