"""What runs beside everything, for no block."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel

from .._loops import call_soon, spawn
from .clock import SYSTEM_CLOCK, Clock
from .keeper import Keeper
from .waiting import CLOSING

_log = logging.getLogger("quatrain.runtime")


class Daemon:
    """``background`` without a block: runs ``fn(keeper, *args)`` until it is closed.

    Whoever starts it may go on, return and end: it lives as long as the event loop. So its task is
    nobody's. A task group could not have it: one that is entered in one function and left in
    another, perhaps by another task, breaks the nesting of every cancel scope in between.
    """

    def __init__(
        self, fn: Callable[..., Awaitable[None]], *args: Any, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._fn = fn
        self._args = args
        self._keeper = Keeper(clock)
        self._scope = anyio.CancelScope()
        self._ended: anyio.Event | None = None  # made by start: it belongs to a loop
        self._loop: Any = None
        self._task: int | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._ended is not None and not self._ended.is_set()

    async def start(self) -> None:
        """Begin, in a copy of the caller's context. Once."""
        self._ended = ended = anyio.Event()
        self._loop = anyio.lowlevel.current_token().native_token
        task = spawn(self._loop, self._run)
        if task is not None:  # asyncio may cancel it before it begins
            task.add_done_callback(lambda _: ended.set())

    def wake(self) -> None:
        """End its ``keeper.wait``, or its next one, at once; from any thread."""
        if self._loop is not None:
            call_soon(self._loop, self._keeper.wake)

    def cancel(self) -> None:
        """Tell it to end, and wait for nothing; from any thread."""
        if self._loop is not None:
            call_soon(self._loop, self._scope.cancel)

    async def aclose(self) -> None:
        """Cancel it, and return when it has ended, or after some seconds. Twice is fine.

        By itself, and from another event loop, it is only cancelled.
        """
        self.cancel()
        if self._ended is None or self._loop is not anyio.lowlevel.current_token().native_token:
            return
        if self._task != anyio.get_current_task().id:
            with anyio.move_on_after(CLOSING, shield=True):
                await self._ended.wait()

    async def _run(self) -> None:
        assert self._ended is not None  # noqa: S101 - start made it
        self._task = anyio.get_current_task().id
        try:
            with self._scope:
                await self._fn(self._keeper, *self._args)
        except Exception:  # noqa: BLE001 - nobody else would tell of it
            _log.exception("a background task failed")
        finally:
            self._ended.set()
