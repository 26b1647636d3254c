"""Our own clients listen to a platform in a process of its own, in both flavours."""

from __future__ import annotations

import signal
import threading
from typing import Any

import anyio
import pytest

from quatrain.vendo import AsyncVendo, Message, Vendo

from ._process import Process

PAGE = 500


class Hearers:
    """Two that listen from the first event on, until each has heard so many."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.heard: tuple[list[int], list[int]] = ([], [])
        self._news = threading.Condition()

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "api_key": self.server.key,
            "base_url": self.server.url,
            "credentials_url": f"{self.server.url}/credentials",
            "data_proxy_url": f"{self.server.url}/composio",
        }

    def blocking(self, total: int) -> None:
        with (
            Vendo(**self.settings) as vendo,
            vendo.events.subscribe(last_event_id="0", max_backoff_sec=0.1) as stream,
        ):
            for message in stream:
                if self._take(0, message) == total:
                    return

    async def awaiting(self, total: int) -> None:
        async with (
            AsyncVendo(**self.settings) as vendo,
            vendo.events.subscribe(last_event_id="0", max_backoff_sec=0.1) as stream,
        ):
            async for message in stream:
                if self._take(1, message) == total:
                    return

    def _take(self, which: int, message: Message) -> int:
        with self._news:
            self.heard[which].append(message.data["micros"])
            self._news.notify_all()
            return len(self.heard[which])

    def until(self, count: int) -> None:
        """Wait until both have heard so many."""
        with self._news:
            assert self._news.wait_for(lambda: min(map(len, self.heard)) >= count, 60)


@pytest.fixture
def hearers(server: Process) -> Hearers:
    return Hearers(server)


@pytest.fixture
def listening(hearers: Hearers) -> Any:
    """Have both listen for *total*, while a function does what they hear of."""

    def listen(total: int, act: Any) -> None:
        threads = [
            threading.Thread(target=hearers.blocking, args=(total,)),
            threading.Thread(target=anyio.run, args=(hearers.awaiting, total)),
        ]
        for thread in threads:
            thread.start()
        act()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    return listen


def test_many_events_come_whole_in_order_and_once(
    server: Process, hearers: Hearers, listening: Any
) -> None:
    """To both, as fast as they can be written."""
    total = 20 * PAGE

    def act() -> None:
        server.publish(0, 1)
        hearers.until(1)  # from here on they listen live: a replay is of a hundred
        for first in range(1, total, PAGE):
            server.publish(first, min(PAGE, total - first))

    listening(total, act)
    assert hearers.heard == (list(range(total)), list(range(total)))


def test_a_platform_that_is_killed_and_started_again(
    server: Process, hearers: Hearers, listening: Any
) -> None:
    """Within a hundred events nobody misses any or hears one twice, however often it happens."""

    def act() -> None:
        server.publish(0, 10)
        hearers.until(10)
        for first in range(10, 310, 100):
            server.publish(first, 50)  # some of it is on its way when the platform dies
            server.end(signal.SIGKILL)
            server.start()
            server.publish(first + 50, 50)
            hearers.until(first + 100)

    listening(310, act)
    assert hearers.heard == (list(range(310)), list(range(310)))
