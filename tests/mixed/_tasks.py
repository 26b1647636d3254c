"""Tasks to cancel, and actions to run in them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio


class Task:
    """A call in a task of its own, on either backend: ``cancel()``, then ``outcome``."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.outcome: Any = None
        self._scope = anyio.CancelScope()
        self._task: asyncio.Task[Any] | None = None
        self.ended = anyio.Event()

    async def run(self, fn: Callable[..., Any], *args: Any) -> None:
        try:
            if self.how == "scope":
                with self._scope:
                    await self._record(fn, *args)
            else:
                self._task = asyncio.create_task(self._record(fn, *args))
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([self._task])
        finally:
            self.ended.set()

    async def _record(self, fn: Callable[..., Any], *args: Any) -> None:
        try:
            self.outcome = await fn(*args)
        except BaseException as exc:
            self.outcome = exc
            raise

    def cancel(self) -> None:
        if self._task is None:
            self._scope.cancel()
        else:
            self._task.cancel()


def is_cancellation(outcome: Any) -> bool:
    return type(outcome) is anyio.get_cancelled_exc_class()


async def receipt() -> str:
    return "receipt"


async def never() -> str:
    raise AssertionError("acted, and must not")


class BlockingAct:
    """Blocks its thread until it is let go."""

    def __init__(self, result: Any = "receipt") -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.result = result
        self.thread = threading.current_thread()

    def __call__(self) -> Any:
        self.thread = threading.current_thread()
        self.begun.set()
        self.let_go.wait()
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    async def has_begun(self) -> None:
        await anyio.to_thread.run_sync(self.begun.wait)
