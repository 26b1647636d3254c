"""What is done step by step, until anybody stops it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .._core import CalledOff
from .._timer import call_later
from .clock import Clock
from .waiting import finish

T = TypeVar("T")


class Once:
    """Something that is done once, whoever asks for it; all of them wait until it is done."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal's handler may ask in the midst of it
        self._begun = False

    def do(self, fn: Callable[[], None]) -> None:
        """``fn()``, begun and ended, unless it is done."""
        with self._lock:
            if not self._begun:
                self._begun = True
                finish(fn)


class Steps:
    """Steps taken one after the other, by one thread at a time, until anybody stops them for good.

    The step under way is then cut off, and ends in its own thread: what it reads from must not be
    closed under it, where another thread could be given the same descriptor.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._guard = threading.RLock()  # what collects garbage may hold it already
        self._cut: Callable[[], object] | None = None
        self._cut_locks = False

    @property
    def stopped(self) -> bool:
        """Whether no further step can be taken."""
        return self._stop.is_set()

    @property
    def free(self) -> bool:
        """Whether no step is under way."""
        return not self._busy.locked()

    def take(self, fn: Callable[..., T], *args: Any) -> T:
        """``fn(*args)``; raises CalledOff where it is stopped before that has ended.

        Raises RuntimeError while another thread takes one.
        """
        if not self._busy.acquire(blocking=False):
            if self.stopped:
                raise CalledOff
            raise RuntimeError("it is waited for already, by another task or thread")
        try:
            if self.stopped:
                raise CalledOff  # noqa: TRY301 - and release it
            return fn(*args)
        except Exception:
            if self.stopped:
                raise CalledOff from None
            raise
        finally:
            self._busy.release()

    def sleep(self, clock: Clock, seconds: float) -> None:
        """Wait within a step; stopped, it ends at once."""
        if clock.wait_for(self._stop, seconds):
            raise CalledOff

    def use(self, cut: Callable[[], object] | None, *, locks: bool = False) -> None:
        """What would end a step that blocks its thread; None before that is closed.

        *locks*: it takes locks that others hold as well.
        """
        with self._guard:
            self._cut, self._cut_locks = cut, locks
            if cut is not None and self.stopped:
                cut()

    def stop(self, last: Callable[[], None]) -> None:
        """No step begins any more, and the one under way is cut off, or ``last()`` is done.

        From any thread. Whoever takes a step does what ``last()`` does, where it ends early.
        """
        self._stop.set()
        if self._busy.acquire(blocking=False):
            try:
                finish(last)
            finally:
                self._busy.release()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        with self._guard:
            if self._cut is not None:
                self._cut()

    def leave(self, last: Callable[[], None], *, alone: bool) -> None:
        """Have ``last()`` done soon: nobody takes a step. Also from where garbage is collected.

        *alone*: whatever it locks is nobody else's. Else the very thread that collects garbage may
        hold a lock of it, and it is done in another.
        """
        if not self._cut_locks:
            self._cut_off()
        if alone:
            last()
        elif not sys.is_finalizing():
            with contextlib.suppress(RuntimeError):  # no thread can be had
                call_later(0.0, last)
