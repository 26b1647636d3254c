"""What an event loop is asked from outside its tasks: asyncio's and trio's."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Final
from weakref import WeakKeyDictionary

_log = logging.getLogger("quatrain.runtime")

_kept: Final[WeakKeyDictionary[Any, list[AsyncGenerator[None]]]] = WeakKeyDictionary()
_tasks: Final[set[Any]] = set()  # asyncio itself holds its tasks only weakly


def is_closed(loop: Any) -> bool:
    """Whether *loop* has surely ended."""
    return hasattr(loop, "is_closed") and bool(loop.is_closed())  # a trio token can't tell


def call_soon(loop: Any, fn: Callable[..., object], *args: Any) -> None:
    """Have *loop* call *fn*: from any thread, and from where garbage is collected."""
    with contextlib.suppress(RuntimeError):  # it has ended, and with it all that was on it
        if hasattr(loop, "run_sync_soon"):
            loop.run_sync_soon(fn, *args)
        else:
            # in a context of its own: this one may say that it is trio's
            loop.call_soon_threadsafe(fn, *args, context=contextvars.Context())


def spawn(loop: Any, fn: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> Any:
    """Run *fn*, which must not raise, in a task of nobody's on *loop*, which is this one.

    The answer is asyncio's task.
    """
    if hasattr(loop, "run_sync_soon"):
        import trio  # noqa: PLC0415 - only there when it is the one that runs

        trio.lowlevel.spawn_system_task(fn, *args, context=contextvars.copy_context())
        return None
    task = loop.create_task(fn(*args))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


def spawn_unless_over(loop: Any, fn: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
    """``spawn``, quietly, from a callback on *loop*; for nothing where it takes no tasks any more.

    What has to be done there all the same is for a guard of :func:`keep`'s kind.
    """
    with contextlib.suppress(RuntimeError):  # trio's, which would break down
        spawn(loop, _quietly, fn, *args)


async def _quietly(fn: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
    try:
        await fn(*args)
    except Exception:  # noqa: BLE001 - nobody waits for it
        _log.debug("what was left was not closed well", exc_info=True)


def keep(loop: Any, guard: AsyncGenerator[None]) -> None:
    """Keep *guard*, which nobody else holds any more, until *loop* ends, which closes it."""
    _kept.setdefault(loop, []).append(guard)


def close_on(loop: Any, guard: AsyncGenerator[None]) -> None:
    """Have *guard* closed on *loop*, which is another one; nobody waits for it."""
    call_soon(loop, spawn, loop, _close_quietly, guard)


async def _close_quietly(guard: AsyncGenerator[None]) -> None:
    try:
        await guard.aclose()
    except Exception:  # noqa: BLE001 - nobody waits for it, and trio itself would break down
        _log.debug("connections of another loop were not closed well", exc_info=True)
