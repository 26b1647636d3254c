"""Sync half of the runtime pair, over threads."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import math
import os
import queue
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from .._core import (
    COMPUTES,
    CalledOff,
    Lost,
    NotRunnable,
    Outcome,
    Tenure,
    is_async_callable,
    steady_now,
    wants_argument,
)
from .._timer import call_later

P = ParamSpec("P")
T = TypeVar("T")

Fn = Callable[P, T]
"""What is called."""
Act = Callable[..., T]
"""What a user passes to be run."""

HEAD_START = 0.0003
"""Seconds within which a request over an open connection has left."""
JOIN = 1.0
"""Seconds the end of a block waits for a background request that is under way."""


class Clock:
    """Time, in one place: tests pass their own and never sleep."""

    def now(self) -> float:
        """Seconds on a steady clock."""
        return steady_now()

    def sleep(self, seconds: float) -> None:
        """Wait; returns at once for zero and less."""
        if seconds > 0:
            worker: _Worker | None = getattr(_here, "worker", None)
            if worker is None:
                time.sleep(seconds)
            else:
                worker.sleep(seconds)

    def wait_for(self, event: threading.Event, seconds: float) -> bool:
        """Wait until *event* is set; False when it is not in time."""
        return event.wait(max(0.0, seconds))

    def call_later(self, seconds: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Have a shared thread call *fn*, which must not block; the answer calls it off."""
        return call_later(seconds, fn)


SYSTEM_CLOCK = Clock()


def Limiter(slots: int) -> threading.Semaphore:  # noqa: N802 - like its twin
    """So many at once: ``acquire()``, ``release()``."""
    return threading.Semaphore(slots)


class Event(Protocol):
    """Something that happens once: ``is_set()``, ``wait()``."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether it has happened."""

    @abstractmethod
    def wait(self) -> None:
        """Return when it has."""


class Keeper(Tenure):
    """What a background loop and the block it serves share."""

    __slots__ = ("_alarm", "_clock", "_event", "_over", "_owner")

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.now)
        self._clock = clock
        self._alarm = threading.Event()  # set to end a wait, for good or once
        self._over = False
        self._owner: threading.Thread | None = threading.current_thread()
        self._event = _LostEvent(self, clock)

    @property
    def event(self) -> Event:
        """Set once it is lost."""
        return self._event

    def wait(self, seconds: float) -> bool:
        """Sleep; True when the loop has to end: the block is over, or its thread is dead."""
        if not self._over:
            self._clock.wait_for(self._alarm, seconds)
            self._alarm.clear()  # before the look: an end that comes in between is seen
        return self._over or (self._owner is not None and not self._owner.is_alive())

    def wake(self) -> None:
        """End the loop's ``wait``, or its next one, at once; from any thread."""
        self._alarm.set()

    @property
    def over(self) -> bool:
        """True when the loop has to end: for a loop that does much between its waits."""
        return self._over

    def _end(self) -> None:
        self._over = True
        self._alarm.set()

    def extend(self, deadline: float) -> None:
        """Held for sure until *deadline* at least; too late when it is lost already."""
        if not self.lost:
            self._know(deadline)

    def lose(self, reason: str) -> None:
        """It is lost: the block sees it when it looks."""
        self._reason = self._reason or reason
        self._event.set()

    def call(self, act: Act[T], *args: Any) -> T:
        """``call(act)`` while it is held; raises Lost when it is lost before the act begins.

        An act that runs can't be stopped: its result is returned all the same.
        """
        self.check()
        return call(act, *args)

    def finish(self, fn: Callable[..., T], *args: Any, seconds: float = 5.0) -> T:
        """``finish``."""
        return finish(fn, *args, seconds=seconds)

    def resume(self) -> None:
        """Nothing had to wait."""


class _LostEvent:
    """Set by ``lose``, or by the deadline passing while nobody looked."""

    def __init__(self, tenure: Tenure, clock: Clock) -> None:
        self._tenure = tenure
        self._clock = clock
        self._event = threading.Event()

    def is_set(self) -> bool:
        return self._tenure.lost

    def set(self) -> None:
        self._event.set()

    def wait(self) -> None:
        while not self.is_set():
            # the deadline moves with each renewal: look again when it should have passed
            self._clock.wait_for(self._event, min(self._tenure.remaining, threading.TIMEOUT_MAX))


class background:  # noqa: N801 - used like a function: ``with background(fn) as keeper``
    """Run ``fn(keeper, *args)`` beside the block, from *after* seconds on; it ends with the block.

    Its daemon thread starts when *after* has passed, so that a block that ends before costs none.
    What is held is held *until* then, on the clock's ``now()``, or for as long as *fn* extends it;
    if *fn* raises, it is lost. Leaving the block waits for *fn* for a bounded time: up
    to *linger* seconds, and a moment for a request under way.
    """

    def __init__(
        self,
        fn: Callable[..., None],
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
        self._lock = threading.Lock()
        self._over = False
        self._thread: threading.Thread | None = None
        self._call_off: Callable[[], None] | None = None

    def __enter__(self) -> Keeper:
        context = contextvars.copy_context()
        try:
            if self._after > 0:
                self._call_off = self._clock.call_later(self._after, lambda: self._start(context))
            else:
                self._start(context)
        except BaseException:  # Ctrl-C: the block is never entered, and nothing may begin for it
            self._over = True
            self._keeper._end()  # noqa: SLF001 - the two are one thing
            raise
        return self._keeper

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._lock:
                self._over = True
            if self._call_off is not None:
                self._call_off()
            if self._linger > 0 and kind is None and self._thread is not None:
                self._thread.join(self._linger)
        finally:  # a second Ctrl-C must not leave a lease renewed for ever
            self._keeper._end()  # noqa: SLF001 - the two are one thing
        if self._thread is not None:
            self._thread.join(JOIN)

    def _start(self, context: contextvars.Context) -> None:
        with self._lock:
            if self._over:
                return
            thread = threading.Thread(
                target=context.run, args=(self._run,), name="quatrain-background", daemon=True
            )
            thread.start()
            self._thread = thread  # after it: what could not be started can't be joined

    def _run(self) -> None:
        try:
            self._fn(self._keeper, *self._args)
        except Lost as exc:
            self._keeper.lose(str(exc))
        except Exception as exc:  # noqa: BLE001 - whatever it is, nothing is renewed any more
            self._keeper.lose(f"its background task failed: {exc!r}")


def takes_context(fn: Act[Any]) -> bool:
    """Whether ``call`` is to give *fn* its context; raises TypeError when it can't call it."""
    if is_async_callable(fn):
        raise TypeError("is async: use the async client for it")
    return wants_argument(fn)


def may_wait_for(thread: int) -> bool:
    """Whether to wait for what *thread*, by its identifier, is at.

    Not in that thread itself: a task of its event loop is at it, which would never go on.
    """
    return thread != threading.get_ident()


def wait_future(future: Future[T]) -> T:
    """What *future* comes to, which any thread may set."""
    return future.result()


def call(fn: Act[T], *args: Any) -> T:
    """Call *fn*; raises NotRunnable when it turns out to be async."""
    result = fn(*args)
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()  # it will never be awaited: no warning on top of the error
        msg = "this callable is async: use the async client for it"
        raise NotRunnable(msg)
    return result


def finish(fn: Callable[..., T], *args: Any, seconds: float = 5.0) -> T:  # noqa: ARG001
    """``fn(*args)``, begun and ended: after a Ctrl-C once more, so it has to be repeatable.

    Its requests' own time-outs bound it.
    """
    try:
        return fn(*args)
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):
            fn(*args)
        raise


class Ahead(Generic[T]):
    """One call at a time that is begun now and asked for later; its caller goes on meanwhile.

    It runs in a daemon thread, which starts with the first call and ends with the last reference
    to this. A call that nobody asks for any more can't be stopped in its thread. It is left to
    end, with its request's own time-out; it is not tried again, and its connection stays good for
    others. To cut that off instead would be to close a socket under a thread that reads from it,
    which may just have handed it to another request.
    """

    def __init__(self) -> None:
        self._job: _Job[T] | None = None
        self._worker: _Worker | None = None
        self._used = 0.0

    def __del__(self) -> None:
        self.cancel()

    @property
    def begun(self) -> bool:
        """Whether there is a call whose result was not asked for yet."""
        return self._job is not None

    def start(self, fn: Callable[..., T], *args: Any) -> None:
        """Begin ``fn(*args)``, in a copy of the caller's context.

        A caller that has computed since the last call waits until it has come as far as to wait:
        who computes keeps the interpreter to itself, and the request would not be sent.
        """
        job = _Job[T](fn, args)
        worker = self._worker
        if worker is None or worker.pid != job.pid:
            worker = self._worker = _Worker.start()
        if worker is None:  # the process has too many threads: result() makes the call
            job.pid = None
        else:
            worker.jobs.put(job)
        self._job = job  # after it: interrupted before, nothing is waited for that never comes
        used = time.thread_time()
        if worker is not None and used - self._used > COMPUTES:
            job.ended.wait(HEAD_START)
        self._used = used

    def result(self) -> T:
        """What the call came to; its error is raised. Interrupted here, it is left to end.

        Raises CalledOff where it is while this waits.
        """
        job = self._job
        if job is None:
            raise RuntimeError("nothing was begun")
        if job.pid != os.getpid():  # its thread is the parent's
            self._job = None
            return job.fn(*job.args)
        try:
            job.ended.wait()
        except BaseException:  # Ctrl-C
            self.cancel()
            raise
        if self._job is not job:
            raise CalledOff
        self._job = None
        return job.outcome.get()

    def cancel(self) -> None:
        """Nobody will ask for it. From any thread, and from where garbage is collected."""
        job, worker = self._job, self._worker
        self._job = self._worker = None
        if job is not None:
            job.outcome.forget()
        if worker is not None and worker.pid == os.getpid():
            worker.jobs.put(None)  # a lock could be held by the very thread that collects garbage

    def close(self) -> None:
        """Cancel it, and end the thread, or let it end when the call does."""
        job, worker = self._job, self._worker
        self.cancel()
        if worker is not None and worker.pid == os.getpid() and (job is None or job.ended.is_set()):
            worker.thread.join(JOIN)


class _Job(Generic[T]):
    """A call of ``Ahead``."""

    def __init__(self, fn: Callable[..., T], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self.context = contextvars.copy_context()
        self.outcome = Outcome[T]()
        self.ended = threading.Event()
        self.pid: int | None = os.getpid()

    def run(self) -> None:
        try:
            self.context.run(self.outcome.by, self.fn, *self.args)
        finally:
            self.ended.set()


class _CalledOff(BaseException):
    """The call was about to wait, and nobody asks for it any more."""


class _Worker:
    """The thread of an ``Ahead``: it holds this, and nothing that its caller holds."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        """Calls to make, one at a time, and None for the end."""
        self._over = False
        self.pid = os.getpid()
        self.thread = threading.Thread(target=self._run, name="quatrain-ahead", daemon=True)

    @classmethod
    def start(cls) -> _Worker | None:
        """A new one; None where no thread can be had."""
        worker = cls()
        try:
            worker.thread.start()
        except RuntimeError:
            return None
        except BaseException:  # Ctrl-C: it may have started
            worker.jobs.put(None)
            raise
        return worker

    def _run(self) -> None:
        _here.worker = self
        while not self._over and (job := self.jobs.get()) is not None:
            job.run()
            # a thread's frame is never collected: what the call holds may hold the walk itself
            del job

    def sleep(self, seconds: float) -> None:
        """Between two attempts of a call: raises _CalledOff when it is."""
        try:
            self.jobs.get(timeout=min(seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            return
        self._over = True
        raise _CalledOff


_here = threading.local()  # .worker in the threads of ``Ahead``


class LoopLocal(Generic[T]):
    """One *T* for the process: threads share it, a forked child makes its own."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], None]) -> None:
        self._make = make
        self._close = close
        self._lock = threading.Lock()
        self._value: T | None = None
        _all.add(self)

    def __bool__(self) -> bool:
        """Whether there is a value."""
        return self._value is not None

    def get(self) -> T:
        """The value, made on first use."""
        value = self._value
        if value is None:
            with self._lock:
                value = self._value
                if value is None:
                    value = self._value = self._make()
        return value

    def close(self) -> None:
        """Close the value."""
        with self._lock:
            value, self._value = self._value, None
        if value is not None:
            self._close(value)

    def abandon(self) -> None:
        """Nobody will close it any more."""
        self.close()

    def leave_to_parent(self) -> None:
        """In a forked child: its connections are the parent's, and may not even be closed here."""
        if self._value is not None:
            _inherited.append(self._value)
        self._value = None
        self._lock = threading.Lock()  # a thread of the parent may have held it


_all: WeakSet[LoopLocal[Any]] = WeakSet()
_inherited: list[Any] = []  # never collected: that would close them


def _after_fork() -> None:
    for each in list(_all):
        each.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)
