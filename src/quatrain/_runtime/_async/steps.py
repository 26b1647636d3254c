"""What is done step by step, until anybody stops it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from .._core import CalledOff
from .._loops import call_soon, spawn_unless_over
from .clock import Clock
from .waiting import CLOSING, finish

T = TypeVar("T")


class Once:
    """Something that is done once, whoever asks for it; all of them wait until it is done."""

    def __init__(self) -> None:
        self._ended: anyio.Event | None = None

    async def do(self, fn: Callable[[], Awaitable[None]]) -> None:
        """``fn()``, begun and ended whatever cancels the caller, unless it is done.

        What takes longer than a few seconds is cancelled: a stand-in for the HTTP stack may go on
        as if it had not been closed.
        """
        if self._ended is None:
            self._ended = anyio.Event()
            try:
                await finish(_in_time, fn)
            finally:
                self._ended.set()
        elif not self._ended.is_set():
            with anyio.move_on_after(CLOSING, shield=True):
                await self._ended.wait()


async def _in_time(fn: Callable[[], Awaitable[None]]) -> None:
    with anyio.move_on_after(CLOSING):
        await fn()


class Steps:
    """Steps taken one after the other, by one task at a time, until anybody stops them for good.

    The step under way is then cancelled, and ends in its own task.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._scope: anyio.CancelScope | None = None
        self._ended: anyio.Event | None = None
        self._loop: Any = None

    @property
    def stopped(self) -> bool:
        """Whether no further step can be taken."""
        return self._stopped

    @property
    def free(self) -> bool:
        """Whether no step is under way."""
        return self._scope is None

    async def take(self, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """``fn(*args)``; raises CalledOff where it is stopped before that has ended.

        Raises RuntimeError while another task takes one.
        """
        if self._stopped:
            raise CalledOff
        if self._scope is not None:
            raise RuntimeError("it is waited for already, by another task or thread")
        self._loop = anyio.lowlevel.current_token().native_token
        self._scope = scope = anyio.CancelScope()
        try:
            with scope:
                return await fn(*args)
        except Exception:
            if scope.cancel_called:  # it broke while it was being cancelled
                raise CalledOff from None
            raise
        finally:
            self._scope = None
            if self._ended is not None:
                self._ended.set()
        raise CalledOff

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Wait within a step; stopped, it ends at once."""
        await clock.sleep(seconds)

    def use(self, cut: Callable[[], object] | None, *, locks: bool = False) -> None:
        """What would end a step that blocks its thread; here it is cancelled instead."""

    async def stop(self, last: Callable[[], Awaitable[None]]) -> None:
        """No step begins any more, and the one under way ends; then ``last()``.

        From any task, and whatever cancels it.
        """
        self._stopped = True
        scope = self._scope
        if scope is not None:
            ended = self._ended = self._ended or anyio.Event()
            call_soon(self._loop, scope.cancel)
            if self._loop is anyio.lowlevel.current_token().native_token:
                with anyio.move_on_after(CLOSING, shield=True):
                    await ended.wait()
        await finish(last)

    def leave(self, last: Callable[[], Awaitable[None]], *, alone: bool) -> None:  # noqa: ARG002
        """Have ``last()`` done soon: nobody takes a step. Also from where garbage is collected.

        *alone*: whatever it locks is nobody else's.
        """
        if self._loop is not None:
            call_soon(self._loop, spawn_unless_over, self._loop, last)
