"""Stand-ins for what the reconciler uses, in pairs where they differ by flavour."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel

from quatrain.errors.vendo import VendoOnlyFeature
from quatrain.models.vendo import Message

from ._doubles import AsyncManualClock, ManualClock

POLL = 30.0


class _Client:
    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.subscriptions: list[Any] = []
        self.refusals: list[Exception] = []
        """Raised, one after another, instead of a subscription."""
        self.forgotten: list[str | None] = []
        self.rows: list[Any] = []
        """What connections.list answers."""
        self.given: dict[str, str] = {}
        """The tokens there are."""
        self.asked: list[list[str]] = []
        self.events = self
        self.connections = self

    def invalidate(self, slug: str | None = None) -> None:
        self.forgotten.append(slug)

    def _refuse(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)

    def without_platform(self) -> None:
        self.refusals.append(VendoOnlyFeature("events.subscribe needs the Vendo platform"))

    def rests(self) -> int:
        """How often the reconciler has gone to rest until its next poll."""
        return int(self.clock.slept.count(POLL))

    def send(self, kind: str, data: Any = None) -> None:
        self.subscriptions[-1].put(Message(kind, data))


class AsyncVendoDouble(_Client):
    """A client of Vendo: its events come from the test."""

    def __init__(self, clock: AsyncManualClock) -> None:
        super().__init__(clock)

    def subscribe(self) -> AsyncStreamDouble:
        self._refuse()
        self.subscriptions.append(AsyncStreamDouble())
        return self.subscriptions[-1]

    async def list(self) -> list[Any]:
        return self.rows

    async def tokens(self, slugs: Any) -> dict[str, str | None]:
        self.asked.append(list(slugs))
        return {slug: self.given.get(slug) for slug in slugs}

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds, which may be for ever where it never does."""
        while not condition():
            await anyio.lowlevel.checkpoint()

    async def at_rest(self, times: int) -> None:
        """Return when the reconciler has gone to rest so many *times*."""
        await self.wait_until(lambda: self.rests() >= times)

    async def listened_to(self) -> None:
        """Return when there is a subscription."""
        await self.wait_until(lambda: bool(self.subscriptions))


class AsyncStreamDouble:
    """A subscription."""

    def __init__(self) -> None:
        self.closed = False
        self._messages: list[Message] = []
        self._change = anyio.Event()

    def put(self, message: Message) -> None:
        self._messages.append(message)
        self._change.set()

    def __aiter__(self) -> AsyncStreamDouble:
        return self

    async def __anext__(self) -> Message:
        while not self._messages:
            if self.closed:
                raise StopAsyncIteration
            self._change = anyio.Event()
            await self._change.wait()
        return self._messages.pop(0)

    async def aclose(self) -> None:
        self.closed = True
        self._change.set()


class VendoDouble(_Client):
    """A client of Vendo, for threads."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._change = threading.Condition()

    def subscribe(self) -> StreamDouble:
        self._refuse()
        self.subscriptions.append(StreamDouble(self.clock))
        return self.subscriptions[-1]

    def list(self) -> list[Any]:
        return self.rows

    def tokens(self, slugs: Any) -> dict[str, str | None]:
        self.asked.append([*slugs])
        return {slug: self.given.get(slug) for slug in slugs}

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds, which may be for ever where it never does."""
        with self._change:
            while not condition():
                self._change.wait(0.005)

    def at_rest(self, times: int) -> None:
        """Return when the reconciler has gone to rest so many *times*."""
        self.wait_until(lambda: self.rests() >= times)

    def listened_to(self) -> None:
        """Return when there is a subscription."""
        self.wait_until(lambda: bool(self.subscriptions))


class StreamDouble:
    """A subscription, for threads."""

    def __init__(self, clock: ManualClock) -> None:
        self.closed = False
        self._clock = clock
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def put(self, message: Message) -> None:
        self._messages.put(message)

    def __iter__(self) -> StreamDouble:
        return self

    def __next__(self) -> Message:
        with self._clock.parked():
            message = self._messages.get()
        if message is None:
            raise StopIteration
        return message

    def close(self) -> None:
        self.closed = True
        self._messages.put(None)
