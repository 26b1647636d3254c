"""Calls that are begun before anybody asks for their results."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel

from .._core import COMPUTES, CalledOff
from .._loops import call_soon, spawn
from .._tasks import TaskOutcome
from .waiting import CLOSING

T = TypeVar("T")

TURNS = 8
"""Turns of the event loop within which a request over an open connection has left."""


class Ahead(Generic[T]):
    """One call at a time that is begun now and asked for later; its caller goes on meanwhile.

    It runs in a task of nobody's: whoever began it may be left, cancelled or collected at any
    moment, which a task group could not bear. With the last reference to this it is cancelled.
    """

    def __init__(self) -> None:
        self._job: _Job[T] | None = None
        self._used = 0.0

    def __del__(self) -> None:
        self.cancel()

    @property
    def begun(self) -> bool:
        """Whether there is a call whose result was not asked for yet."""
        return self._job is not None

    async def start(self, fn: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Begin ``fn(*args)``, in a copy of the caller's context.

        Where the loop has computed since the last call, the caller waits until it has come as far
        as to wait: who computes holds up a request that was not sent yet.
        """
        job = _Job[T](fn, args)
        task = spawn(job.loop, job.run)
        if task is not None:  # asyncio may cancel it before it begins
            task.add_done_callback(lambda _: job.ended.set())
        self._job = job
        if time.thread_time() - self._used > COMPUTES:
            await self._unless_cancelled(job.get_going)
        self._used = time.thread_time()

    async def result(self) -> T:
        """What the call came to; its error is raised. Cancelled here, the call ends first.

        Raises CalledOff where it is while this waits.
        """
        job = self._job
        if job is None:
            raise RuntimeError("nothing was begun")
        if not job.outcome and job.is_here():
            await self._unless_cancelled(job.ended.wait)
        if self._job is not job:
            raise CalledOff
        self._job = None
        if not job.outcome:  # its loop has ended, or it is another: the call is made here
            call_soon(job.loop, job.scope.cancel)
            return await job.fn(*job.args)
        return job.outcome.get()

    async def _unless_cancelled(self, wait: Callable[[], Awaitable[None]]) -> None:
        cancelled = anyio.get_cancelled_exc_class()
        try:
            await wait()
        except cancelled:
            await self.aclose()
            raise
        except BaseException:  # KeyboardInterrupt on trio, GeneratorExit: nothing can be awaited
            self.cancel()
            raise

    def cancel(self) -> None:
        """Nobody will ask for it. From any thread, and from where garbage is collected."""
        job, self._job = self._job, None
        if job is not None:
            job.outcome.forget()
            if not job.ended.is_set():
                call_soon(job.loop, job.scope.cancel)

    async def aclose(self) -> None:
        """Cancel it, and return when it has ended, or after some seconds, whoever is cancelled."""
        job = self._job
        self.cancel()
        if job is not None and job.is_here():
            with anyio.move_on_after(CLOSING, shield=True):
                await job.ended.wait()


class _Job(Generic[T]):
    """A call of ``Ahead``: its task holds this, and nothing that its caller holds."""

    def __init__(self, fn: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self.outcome = TaskOutcome[T]()
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.loop: Any = anyio.lowlevel.current_token().native_token

    async def run(self) -> None:
        try:
            with self.scope:
                await self.outcome.of(self.fn, *self.args)
        finally:
            self.ended.set()

    async def get_going(self) -> None:
        for _ in range(TURNS):
            await anyio.lowlevel.checkpoint()
            if self.outcome:
                return

    def is_here(self) -> bool:
        return self.loop is anyio.lowlevel.current_token().native_token
