"""Child tasks whose outcome goes around their task group, which would wrap it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

from ._core import Outcome

T = TypeVar("T")


class TaskOutcome(Outcome[T]):
    """What a child task came to, carried around its task group so that nothing is wrapped."""

    async def of(self, fn: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Await it; a cancellation is no outcome."""
        try:
            self._results.append(await fn(*args))
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as exc:  # noqa: BLE001 - raised again by get()
            self._keep(exc)


def only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The single exception of a group, or the group."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group


async def finish_in(
    group: TaskGroup,
    outcome: TaskOutcome[T],
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    seconds: float,
) -> None:
    """``fn(*args)`` in a child of *group*, begun and ended whatever cancels this one."""
    # a task group outlasts any number of task.cancel() of its host
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
