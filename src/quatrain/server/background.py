"""Work that waits in the database, done by the event loop beside the requests.

What is to be done, and in which order, is said by whoever makes a ``Background``: here is only how
it is looked for in time, begun, and stopped in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from .store import StoreUnavailableError

T = TypeVar("T")


class Outage:
    """Warns once, however long it lasts."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self.log = log
        self._what = what
        self._lasts = False

    def begin(self, exc: Exception) -> None:
        """It failed, for the first time or again."""
        level = logging.DEBUG if self._lasts else logging.WARNING
        # the store's own reasons are told in its words; anything else was not expected
        expected = isinstance(exc, StoreUnavailableError)
        self.log.log(level, "%s: %s", self._what, exc, exc_info=None if expected else exc)
        self._lasts = True

    def end(self) -> None:
        """It works."""
        self._lasts = False


class Background(Generic[T]):
    """Looks for work until it is stopped, on the event loop it was made on.

    *begin_due* begins what is due, with ``begin``, and answers the seconds until there may be more
    to do. It is called at once, then after that time, when something that was under way has ended,
    and after ``wake()``. When it raises, it is called again after *poll* seconds, and *finding*
    warns. *grace* is in seconds, too: for what is under way when told to stop.
    """

    def __init__(
        self,
        begin_due: Callable[[], Awaitable[float]],
        *,
        name: str,
        poll: float,
        grace: float,
        finding: Outage,
    ) -> None:
        self.under_way: dict[asyncio.Task[None], T] = {}
        """What is being done, and what each is about."""
        self._begin_due = begin_due
        self._poll = poll
        self._grace = grace
        self._finding = finding
        self._process = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._stopping = False
        self._worker = self._loop.create_task(self._work(), name=name)

    def begin(self, work: Coroutine[Any, Any, None], about: T) -> None:
        """Have *work* done beside everything else; an exception that it raises is logged."""
        task = self._loop.create_task(work)
        self.under_way[task] = about
        task.add_done_callback(self._ended)

    def wake(self) -> None:
        """Look for work at once. From any thread."""
        # a forked child has a copy of this, whose loop is its parent's
        if self._process == os.getpid():
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._woken.set)

    async def stop(self) -> None:
        """Begin nothing more; what is under way gets its grace, then is cancelled."""
        self._stopping = True
        self._woken.set()
        until = self._loop.time() + self._grace
        # the worker first: it may be about to begin something that it has just claimed
        await asyncio.wait([self._worker], timeout=self._grace)
        if self.under_way:
            await asyncio.wait(list(self.under_way), timeout=max(0.0, until - self._loop.time()))
        left = [self._worker, *self.under_way]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                pause = await self._begin_due()
            except Exception as exc:  # noqa: BLE001 - what waits outlasts any failure
                self._finding.begin(exc)
                pause = self._poll
            else:
                self._finding.end()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self.under_way[task]
        self._woken.set()
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._finding.log.error("what was under way ended in an error", exc_info=exc)
