"""What runs while something is held, and the loop beside it that keeps it."""

from __future__ import annotations

import contextvars
import inspect
import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from .._core import Lost, NotRunnable, Tenure, is_async_callable, wants_argument
from .clock import SYSTEM_CLOCK, Clock
from .waiting import JOIN, Event, finish

T = TypeVar("T")

Act = Callable[..., T]
"""What a user passes to be run."""


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


def call(fn: Act[T], *args: Any) -> T:
    """Call *fn*; raises NotRunnable when it turns out to be async."""
    result = fn(*args)
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()  # it will never be awaited: no warning on top of the error
        msg = "this callable is async: use the async client for it"
        raise NotRunnable(msg)
    return result
