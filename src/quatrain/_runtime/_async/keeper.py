"""What runs while something is held, and the loop beside it that keeps it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar, cast

import anyio
import anyio.lowlevel
import anyio.to_thread

from .._core import EXPIRED, Lost, Tenure, is_async_callable, wants_argument
from .._tasks import TaskOutcome, finish_in, only
from .clock import SYSTEM_CLOCK, Clock
from .waiting import Event

T = TypeVar("T")

Act = Callable[..., Awaitable[T]] | Callable[..., T]
"""What a user passes to be run: a coroutine function, or a plain one for a worker thread."""


class Keeper(Tenure):
    """What a background loop and the block it serves share."""

    __slots__ = ("_body", "_clock", "_event", "_group", "_interrupted", "_loop", "_nap", "_woken")

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.now)
        self._group = anyio.create_task_group()  # entered by ``background``
        self._clock = clock
        self._loop = anyio.CancelScope(shield=True)  # cancelling the block never stops renewals
        self._body: anyio.CancelScope | None = None
        self._event = _LostEvent(self)
        self._interrupted: BaseException | None = None
        self._nap: anyio.CancelScope | None = None
        self._woken = False

    @property
    def event(self) -> Event:
        """Set once it is lost."""
        return self._event

    async def wait(self, seconds: float) -> bool:
        """Sleep; True when the loop has to end (here it is cancelled instead: always False)."""
        if not self._woken:
            with anyio.CancelScope() as self._nap:
                await self._clock.sleep(seconds)
            self._nap = None
        self._woken = False
        return False

    def wake(self) -> None:
        """End the loop's ``wait``, or its next one, at once; from its event loop."""
        self._woken = True
        if self._nap is not None:
            self._nap.cancel()

    @property
    def over(self) -> bool:
        """True when the loop has to end: for a loop that does much between its waits."""
        return False  # it is cancelled instead

    def extend(self, deadline: float) -> None:
        """Held for sure until *deadline* at least; too late when it is lost already."""
        if not self.lost:
            self._know(deadline)
            if self._body is not None:
                self._body.deadline = anyio.current_time() + self.remaining

    def lose(self, reason: str) -> None:
        """It is lost: what runs in ``call`` is cancelled."""
        self._reason = self._reason or reason
        self._event.set()
        if self._body is not None:
            self._body.cancel()

    async def call(self, act: Act[T], *args: Any) -> T:
        """``call(act)`` while it is held; raises Lost when it was lost before the act ended.

        A coroutine is cancelled on loss. A thread can't be: its result is returned all the same,
        also when the caller is cancelled meanwhile; ``resume()`` then lets that go on.
        """
        self.check()
        if is_async_callable(act):
            return await self._while_held(cast("Callable[..., Awaitable[T]]", act), *args)
        result = await self._in_thread(act, *args)
        if inspect.isawaitable(result):  # a lambda that made a coroutine
            try:
                self.resume()
            except BaseException:
                if inspect.iscoroutine(result):
                    result.close()  # it will never be awaited: no warning on top
                raise
            return await self._while_held(lambda: cast("Awaitable[T]", result))
        return cast("T", result)

    async def _while_held(self, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        scope = anyio.CancelScope()
        try:
            with scope:  # inside the try: it takes its Cancelled out of a group of trio's
                self._body = scope
                if self._deadline < math.inf:
                    scope.deadline = anyio.current_time() + self.remaining
                return await fn(*args)
        except Exception as exc:
            if scope.cancel_called:  # it broke while it was being cancelled
                raise Lost(self.reason or EXPIRED) from exc
            raise
        finally:
            self._body = None
        self.lose(self.reason or EXPIRED)
        raise Lost(self.reason or EXPIRED)

    async def _in_thread(self, fn: Callable[..., Any], *args: Any) -> Any:
        outcome = TaskOutcome[Any]()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._outlast_thread, outcome, fn, *args)
            # trio's groups wait for the thread, and then forget that they were cancelled
            await anyio.lowlevel.checkpoint_if_cancelled()
        except BaseException as exc:  # noqa: BLE001 - raised again, here or by resume()
            # cancelled, or on trio a group with the KeyboardInterrupt
            interrupted = only(exc) if isinstance(exc, BaseExceptionGroup) else exc
            if not outcome:
                raise interrupted from None
            self._interrupted = interrupted
        return outcome.get()

    async def _outlast_thread(
        self, outcome: TaskOutcome[Any], fn: Callable[..., Any], *args: Any
    ) -> None:
        try:
            await anyio.to_thread.run_sync(outcome.by, fn, *args)
        except anyio.get_cancelled_exc_class():
            # asyncio cancels all tasks of a loop that ends, this one too; the thread goes on
            with anyio.CancelScope(shield=True):
                while outcome.begun and not outcome:  # noqa: ASYNC110 - set by a thread, for once
                    await anyio.sleep(0.01)
            raise

    async def finish(self, fn: Callable[..., Awaitable[T]], *args: Any, seconds: float = 5.0) -> T:
        """``finish`` in the block's own task group: it ends before the block does."""
        outcome = TaskOutcome[T]()
        await finish_in(self._group, outcome, fn, args, seconds)
        return outcome.get()

    def resume(self) -> None:
        """Let a cancellation that had to wait for a thread go on now."""
        if (interrupted := self._interrupted) is not None:
            self._interrupted = None
            raise interrupted


class _LostEvent:
    """Set by ``lose``, or by the deadline passing while nobody looked."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._event: anyio.Event | None = None  # made by the first waiter: most never wait

    def is_set(self) -> bool:
        return self._tenure.lost

    def set(self) -> None:
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        while not self.is_set():
            self._event = self._event or anyio.Event()
            # the deadline moves with each renewal: look again when it should have passed
            with anyio.move_on_after(self._tenure.remaining):
                await self._event.wait()


class background:  # noqa: N801 - used like a function: ``async with background(fn) as keeper``
    """Run ``fn(keeper, *args)`` beside the block, from *after* seconds on; it ends with the block.

    What is held is held *until* then, on the clock's ``now()``, or for as long as *fn* extends it;
    if *fn* raises, it is lost. Leaving the block gives *fn* up to *linger* seconds more.
    No ExceptionGroup leaves it: the block's own exception does.
    """

    def __init__(
        self,
        fn: Callable[..., Awaitable[None]],
        *args: Any,
        after: float = 0.0,
        linger: float = 0.0,
        until: float = math.inf,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._fn = fn
        self._args = args
        self._after = after
        self._linger = linger
        self._clock = clock
        self._keeper = Keeper(clock)
        self._keeper.extend(until)  # before *fn* can ask, which may be due at once
        self._group = self._keeper._group  # noqa: SLF001 - the two are one thing

    async def __aenter__(self) -> Keeper:
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        return self._keeper

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop = self._keeper._loop  # noqa: SLF001 - the two are one thing
        if self._linger > 0 and kind is None:
            loop.deadline = anyio.current_time() + self._linger
        else:
            loop.cancel()
        cancelled = exc is not None and isinstance(exc, anyio.get_cancelled_exc_class())
        try:
            # anything but a cancellation goes around the group, which would wrap it
            await self._group.__aexit__(*((kind, exc, trace) if cancelled else (None, None, None)))
        except BaseExceptionGroup as group:  # trio: KeyboardInterrupt while leaving the group
            raise only(group) from None

    async def _run(self) -> None:
        with self._keeper._loop:  # noqa: SLF001
            try:
                try:
                    await self._clock.sleep(self._after)
                    await self._fn(self._keeper, *self._args)
                except anyio.get_cancelled_exc_class():
                    if self._keeper._loop.cancel_called:  # noqa: SLF001
                        raise
                    # asyncio cancels all tasks of a loop that ends, while the block has to wait
                    # for a thread
                    await self._fn(self._keeper, *self._args)
            except Lost as exc:
                self._keeper.lose(str(exc))
            except Exception as exc:  # noqa: BLE001 - whatever it is, nothing is renewed any more
                self._keeper.lose(f"its background task failed: {exc!r}")


def takes_context(fn: Act[Any]) -> bool:
    """Whether ``call`` is to give *fn* its context; raises TypeError when it can't call it."""
    return wants_argument(fn)


async def call(fn: Act[T], *args: Any) -> T:
    """Await a coroutine function; run any other callable in a worker thread.

    A running thread cannot be stopped: this returns only after it has ended, whatever cancels
    the caller.
    """
    keeper = Keeper(SYSTEM_CLOCK)
    result = await keeper.call(fn, *args)
    keeper.resume()
    return result
