"""What both halves of the runtime share."""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

if hasattr(time, "CLOCK_BOOTTIME"):

    def steady_now() -> float:
        """Seconds on a clock that nobody sets, and that goes on while the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:  # pragma: no cover - macOS: its monotonic clock stops in suspend
    steady_now = time.monotonic

COMPUTES = 0.001
"""Seconds of processor time between two calls ahead that make their caller one that computes."""
EXPIRED = "it ran out: no renewal was confirmed in time"


class Lost(Exception):  # noqa: N818 - a state of affairs, caught at once by whoever holds it
    """What is being held is held no longer; the reason is the message."""


class NotRunnable(TypeError):  # noqa: N818 - said of a callable; to users it is a TypeError
    """A callable turned out to be async where nothing can be awaited: it could tell nothing."""


class CalledOff(Exception):  # noqa: N818 - a state of affairs, caught at once by whoever waits
    """A call that is being waited for was called off by somebody else."""


class Tenure:
    """What this side knows of how long it holds something."""

    __slots__ = ("_deadline", "_now", "_reason")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._deadline = math.inf
        self._reason: str | None = None

    @property
    def deadline(self) -> float:
        """Until then it is held for sure; on the clock's ``now()``."""
        return self._deadline

    @property
    def lost(self) -> bool:
        """Once true it stays true: a renewal confirmed too late does not bring it back."""
        return self.reason is not None

    @property
    def reason(self) -> str | None:
        """Why it is lost; None while it is held."""
        if self._reason is None and self._now() >= self._deadline:
            self._reason = EXPIRED
        return self._reason

    @property
    def remaining(self) -> float:
        """Seconds it is still held for sure; 0 once it is lost."""
        return 0.0 if self.lost else self._deadline - self._now()

    def _know(self, deadline: float) -> None:
        # news that come late take nothing back
        known = self._deadline
        self._deadline = deadline if known == math.inf else max(known, deadline)

    def check(self) -> None:
        """Raise Lost when it is."""
        if (reason := self.reason) is not None:
            raise Lost(reason)


class Outcome(Generic[T]):
    """What a call came to, kept until somebody asks for it."""

    def __init__(self) -> None:
        self.begun = False
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._forgotten = False

    def __bool__(self) -> bool:
        return bool(self._results) or self._error is not None

    def by(self, fn: Callable[..., T], *args: Any) -> None:
        """Call it."""
        self.begun = True
        try:
            self._results.append(fn(*args))
        except BaseException as exc:  # noqa: BLE001 - raised again by get()
            self._keep(exc)

    def _keep(self, error: BaseException) -> None:
        self._error = error
        if self._forgotten:  # looked at last: another thread may forget it meanwhile
            self._error = None

    def forget(self) -> None:
        """Nobody will ask for it. An error and its frames, which hold this, are no cycle then."""
        self._forgotten = True
        self._error = None

    def get(self) -> T:
        """Its result; raises its error, and TimeoutError where it has not ended."""
        if (error := self._error) is not None:
            try:
                raise error
            finally:  # no cycle of it, its traceback and this frame
                self._error = None
                del error
        if not self._results:
            raise TimeoutError
        return self._results[0]


def is_async_callable(fn: Any) -> bool:
    """True when calling *fn* certainly gives an awaitable (partials, ``__call__`` seen through)."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return inspect.iscoroutinefunction(fn) or (
        callable(fn) and inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004
    )


def wants_argument(fn: Callable[..., Any]) -> bool:
    """True when *fn* has one required parameter: it is to be given its context.

    A parameter with a default does not count: ``lambda order=order: …`` binds a loop variable.
    Raises TypeError for what can't be called, with its context or without.
    """
    if not callable(fn):
        raise TypeError(f"can't be called: {fn!r}")
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return False
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [p for p in parameters if p.default is p.empty and p.kind not in several]
    if len(required) > 1 or any(p.kind is p.KEYWORD_ONLY for p in required):
        names = ", ".join(p.name for p in required)
        raise TypeError(f"needs {names}: only one parameter, by position, is an EffectContext")
    return bool(required)


def check_plain(fn: Any) -> None:
    """Raise TypeError unless *fn* is a plain callable: it is called where nothing is awaited."""
    if not callable(fn):
        raise TypeError("has to be a function")
    if is_async_callable(fn):
        raise TypeError("has to be a plain function: nobody would await it")
