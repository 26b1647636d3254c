"""What runs beside everything, for no block."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from .clock import SYSTEM_CLOCK, Clock
from .keeper import Keeper
from .waiting import JOIN

_log = logging.getLogger("quatrain.runtime")


class Daemon:
    """``background`` without a block: runs ``fn(keeper, *args)`` until it is closed.

    Whoever starts it may go on, return and end: its daemon thread lives as long as the process. In
    a forked child there is none, and it counts as ended.
    """

    def __init__(self, fn: Callable[..., None], *args: Any, clock: Clock = SYSTEM_CLOCK) -> None:
        self._fn = fn
        self._args = args
        self._keeper = Keeper(clock)
        self._keeper._owner = None  # noqa: SLF001 - the two are one thing
        self._thread: threading.Thread | None = None
        self._pid: int | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._is_here() and self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, in a copy of the caller's context. Once."""
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._run,), name="quatrain-background", daemon=True
        )
        self._pid = os.getpid()
        try:
            thread.start()
        except BaseException:  # Ctrl-C: it may have started
            self._keeper._end()  # noqa: SLF001 - the two are one thing
            raise
        self._thread = thread  # after it: what could not be started can't be joined

    def wake(self) -> None:
        """End its ``keeper.wait``, or its next one, at once; from any thread."""
        if self._is_here():
            self._keeper.wake()

    def cancel(self) -> None:
        """Tell it to end, and wait for nothing; from any thread."""
        if self._is_here():
            self._keeper._end()  # noqa: SLF001 - the two are one thing

    def close(self) -> None:
        """Cancel it, and return when it has ended, or after a moment. Twice is fine.

        By itself, and in a forked child, it is only cancelled.
        """
        self.cancel()
        thread = self._thread
        if self._is_here() and thread not in {None, threading.current_thread()}:
            assert thread is not None  # noqa: S101 - said in the line before
            thread.join(JOIN)

    def _is_here(self) -> bool:
        # in a forked child a lock may be held for ever by a thread that exists in the parent only
        return self._pid == os.getpid()

    def _run(self) -> None:
        try:
            self._fn(self._keeper, *self._args)
        except Exception:  # noqa: BLE001 - nobody else would tell of it
            _log.exception("a background task failed")
