"""Async half of the runtime pair, over anyio: asyncio and trio."""

from __future__ import annotations

import inspect
import math
import threading
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import anyio
import anyio.lowlevel
import anyio.to_thread
from anyio.abc import TaskGroup

from .._core import (
    COMPUTES,
    EXPIRED,
    CalledOff,
    Lost,
    Outcome,
    Tenure,
    is_async_callable,
    steady_now,
    wants_argument,
)
from .._loops import call_soon, close_on, is_closed, keep, spawn

P = ParamSpec("P")
T = TypeVar("T")

CLOSING = 5.0
"""Seconds the end of a call that was cancelled is waited for."""
TURNS = 8
"""Turns of the event loop within which a request over an open connection has left."""

Fn = Callable[P, Awaitable[T]]
"""What is awaited."""
Act = Callable[..., Awaitable[T]] | Callable[..., T]
"""What a user passes to be run: a coroutine function, or a plain one for a worker thread."""


class Clock:
    """Time, in one place: tests pass their own and never sleep."""

    def now(self) -> float:
        """Seconds on a steady clock."""
        return steady_now()

    async def sleep(self, seconds: float) -> None:
        """Wait; returns at once for zero and less."""
        if seconds > 0:
            await anyio.sleep(seconds)


SYSTEM_CLOCK = Clock()


def Limiter(slots: int) -> anyio.Semaphore:  # noqa: N802 - a class in the other half
    """So many at once: ``await acquire()``, ``release()``."""
    return anyio.Semaphore(slots, fast_acquire=True)


class Event(Protocol):
    """Something that happens once: ``is_set()``, ``await wait()``."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether it has happened."""

    @abstractmethod
    async def wait(self) -> None:
        """Return when it has."""


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
        outcome = _Outcome[Any]()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._outlast_thread, outcome, fn, *args)
            # trio's groups wait for the thread, and then forget that they were cancelled
            await anyio.lowlevel.checkpoint_if_cancelled()
        except BaseException as exc:  # noqa: BLE001 - raised again, here or by resume()
            # cancelled, or on trio a group with the KeyboardInterrupt
            interrupted = _only(exc) if isinstance(exc, BaseExceptionGroup) else exc
            if not outcome:
                raise interrupted from None
            self._interrupted = interrupted
        return outcome.get()

    async def _outlast_thread(
        self, outcome: _Outcome[Any], fn: Callable[..., Any], *args: Any
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
        outcome = _Outcome[T]()
        await _finish_in(self._group, outcome, fn, args, seconds)
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
            raise _only(group) from None

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


def may_wait_for(thread: int) -> bool:  # noqa: ARG001 - the other half has to look
    """Whether to wait for what *thread*, by its identifier, is at: it goes on meanwhile."""
    return True


async def wait_future(future: Future[T]) -> T:
    """What *future* comes to, which any thread may set."""
    if not future.done():
        done = anyio.Event()
        loop: Any = anyio.lowlevel.current_token().native_token
        future.add_done_callback(lambda _: call_soon(loop, done.set))
        await done.wait()
    return future.result()


async def call(fn: Act[T], *args: Any) -> T:
    """Await a coroutine function; run any other callable in a worker thread.

    A running thread cannot be stopped: this returns only after it has ended, whatever cancels
    the caller.
    """
    keeper = Keeper(SYSTEM_CLOCK)
    result = await keeper.call(fn, *args)
    keeper.resume()
    return result


async def finish(fn: Callable[..., Awaitable[T]], *args: Any, seconds: float = 5.0) -> T:
    """``fn(*args)``, begun and ended whatever cancels the caller: then for *seconds* more.

    Where an asyncio loop ends and cancels all its tasks, *fn* is begun a second time.
    """
    outcome = _Outcome[T]()
    try:
        async with anyio.create_task_group() as group:
            await _finish_in(group, outcome, fn, args, seconds)
    except BaseExceptionGroup as group:
        raise _only(group) from None
    return outcome.get()


async def _finish_in(
    group: TaskGroup,
    outcome: _Outcome[T],
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    seconds: float,
) -> None:
    # in a child: a task group outlasts any number of task.cancel() of its host
    scope = anyio.CancelScope(shield=True)
    done = anyio.Event()

    async def run() -> None:
        try:
            with scope:
                try:
                    await outcome.of(fn, *args)
                except anyio.get_cancelled_exc_class():
                    if scope.cancel_called:
                        raise
                    # asyncio cancels all tasks of a loop that ends, this one too
                    await outcome.of(fn, *args)
        finally:
            done.set()

    group.start_soon(run)
    try:
        await done.wait()
    except BaseException:  # cancelled, or on trio KeyboardInterrupt
        scope.deadline = anyio.current_time() + seconds
        raise


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
        self.outcome = _Outcome[T]()
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


class LoopLocal(Generic[T]):
    """One *T* for each running event loop, closed when its loop ends.

    Connections belong to the loop that opened them, while a client may be used on several, one
    after the other or at once. The value is kept by an async generator that is suspended on its
    loop: asyncio and trio both close such generators when they end.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._values: WeakKeyDictionary[Any, tuple[T, AsyncGenerator[None]]] = WeakKeyDictionary()
        self._lock = threading.Lock()  # each loop runs in a thread of its own

    def __bool__(self) -> bool:
        """Whether any loop has a value."""
        return bool(self._values)

    async def get(self) -> T:
        """The running loop's value, made on first use."""
        loop = anyio.lowlevel.current_token().native_token
        try:
            return self._values[loop][0]
        except KeyError:
            value = self._make()
            guard = self._until_loop_ends(loop, value)
            await anext(guard)  # to its yield, at once: nothing else runs meanwhile
            with self._lock:
                for other in [known for known in self._values if is_closed(known)]:
                    del self._values[other]  # its end was not told: nobody can close its value
                self._values[loop] = value, guard
            return value

    async def _until_loop_ends(self, loop: Any, value: T) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._values.pop(loop, None)
            await finish(self._close, value)  # all of it: trio ends generators in a cancelled scope

    async def aclose(self) -> None:
        """Close the running loop's value now, and other loops' on those loops."""
        own = anyio.lowlevel.current_token().native_token
        with self._lock:
            values = list(self._values.items())
            self._values.clear()  # a generator that is being closed can't be closed again
        for loop, (_, guard) in values:
            if loop is own:
                await guard.aclose()
            else:
                close_on(loop, guard)

    def abandon(self) -> None:
        """Nobody will close it any more: each loop closes its own value when it ends."""
        with self._lock:
            for loop, (_, guard) in self._values.items():
                keep(loop, guard)


class _Outcome(Outcome[T]):
    """What a child task came to, carried around its task group so that nothing is wrapped."""

    async def of(self, fn: Callable[..., Awaitable[T]], *args: Any) -> None:
        try:
            self._results.append(await fn(*args))
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as exc:  # noqa: BLE001 - raised again by get()
            self._keep(exc)


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The single exception of a group, or the group."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group
