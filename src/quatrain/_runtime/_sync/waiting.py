"""Waiting for others: for an event, a turn, a future; and for an end, whoever is cancelled."""

from __future__ import annotations

import contextlib
import threading
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

JOIN = 1.0
"""Seconds the end of a block waits for a background request that is under way."""
Fn = Callable[P, T]
"""What is called."""


class Event(Protocol):
    """Something that happens once: ``is_set()``, ``wait()``."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether it has happened."""

    @abstractmethod
    def wait(self) -> None:
        """Return when it has."""


def Limiter(slots: int) -> threading.Semaphore:  # noqa: N802 - like its twin
    """So many at once: ``acquire()``, ``release()``."""
    return threading.Semaphore(slots)


def may_wait_for(thread: int) -> bool:
    """Whether to wait for what *thread*, by its identifier, is at.

    Not in that thread itself: a task of its event loop is at it, which would never go on.
    """
    return thread != threading.get_ident()


def wait_future(future: Future[T]) -> T:
    """What *future* comes to, which any thread may set."""
    return future.result()


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
