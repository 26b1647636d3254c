"""Waiting for others: for an event, a turn, a future; and for an end, whoever is cancelled."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar

import anyio
import anyio.lowlevel

from .._loops import call_soon
from .._tasks import TaskOutcome, finish_in, only

P = ParamSpec("P")
T = TypeVar("T")

CLOSING = 5.0
"""Seconds the end of a call that was cancelled is waited for."""
Fn = Callable[P, Awaitable[T]]
"""What is awaited."""


class Event(Protocol):
    """Something that happens once: ``is_set()``, ``await wait()``."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether it has happened."""

    @abstractmethod
    async def wait(self) -> None:
        """Return when it has."""


def Limiter(slots: int) -> anyio.Semaphore:  # noqa: N802 - a class in the other half
    """So many at once: ``await acquire()``, ``release()``."""
    return anyio.Semaphore(slots, fast_acquire=True)


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


async def finish(fn: Callable[..., Awaitable[T]], *args: Any, seconds: float = 5.0) -> T:
    """``fn(*args)``, begun and ended whatever cancels the caller: then for *seconds* more.

    Where an asyncio loop ends and cancels all its tasks, *fn* is begun a second time.
    """
    outcome = TaskOutcome[T]()
    try:
        async with anyio.create_task_group() as group:
            await finish_in(group, outcome, fn, args, seconds)
    except BaseExceptionGroup as group:
        raise only(group) from None
    return outcome.get()
