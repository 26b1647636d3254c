"""One thread that calls many functions later: a lease that ends early costs no thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("quatrain.runtime")


class _Call:
    """A function that is due; once called off it holds nothing alive."""

    __slots__ = ("due", "fn", "number")

    def __init__(self, due: float, number: int, fn: Callable[[], None]) -> None:
        self.due = due
        self.number = number
        self.fn: Callable[[], None] | None = fn

    def __lt__(self, other: _Call) -> bool:
        return (self.due, self.number) < (other.due, other.number)


class Timer:
    """A heap of due calls and a daemon thread, started with the first, that waits for them."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.reset()

    def reset(self) -> None:
        """Forget all calls, the thread, and who holds the lock: none exists in a forked child."""
        self._wake = threading.Condition()
        self._heap: list[_Call] = []
        self._called_off = 0
        self._thread: threading.Thread | None = None

    def call_later(self, seconds: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Have the timer's thread call *fn*, which must not block; the answer calls it off."""
        with self._wake:
            if self._thread is None:
                # where no thread can be had nothing is entered, and the next call tries again
                thread = threading.Thread(target=self._run, name="quatrain-timer", daemon=True)
                thread.start()
                self._thread = thread
            call = _Call(time.monotonic() + seconds, next(self._numbers), fn)
            heapq.heappush(self._heap, call)
            if self._heap[0] is call:
                self._wake.notify()
        return lambda: self._call_off(call)

    def _call_off(self, call: _Call) -> None:
        with self._wake:
            if call.fn is None:
                return
            call.fn = None
            self._called_off += 1
            # most leases end long before their first renewal: don't keep their calls until then
            if self._called_off > 64 and self._called_off > len(self._heap) // 2:
                self._heap = [kept for kept in self._heap if kept.fn is not None]
                heapq.heapify(self._heap)
                self._called_off = 0

    def _run(self) -> None:
        while True:
            fn = self._next()
            try:
                fn()
            except Exception:  # noqa: BLE001 - one call must not end the others
                # e.g. no thread can be started: who waits for it will see the deadline pass
                _log.exception("a timed call failed")
            del fn

    def _next(self) -> Callable[[], None]:
        with self._wake:
            while True:
                if not self._heap:
                    self._wake.wait()
                elif (seconds := self._heap[0].due - time.monotonic()) > 0:
                    self._wake.wait(seconds)
                else:
                    call = heapq.heappop(self._heap)
                    if (fn := call.fn) is not None:
                        call.fn = None
                        return fn
                    self._called_off -= 1


_timer = Timer()


def call_later(seconds: float, fn: Callable[[], None]) -> Callable[[], None]:
    """``Timer.call_later`` of the process's one timer."""
    return _timer.call_later(seconds, fn)


os.register_at_fork(after_in_child=_timer.reset)
