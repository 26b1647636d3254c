"""What each event loop has one of."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import anyio.lowlevel

from .._loops import close_on, is_closed, keep
from .waiting import finish

T = TypeVar("T")


class LoopLocal(Generic[T]):
    """One *T* for each running event loop, closed when its loop ends.

    Connections belong to the loop that opened them, while a client may be used on several, one
    after the other or at once. The value is kept by an async generator that is suspended on its
    loop: asyncio and trio both close such generators when they end.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._values: WeakKeyDictionary[Any, tuple[T, AsyncGenerator[None]]] = WeakKeyDictionary()
        self._lock = threading.Lock()  # each loop runs in a thread of its own

    def __bool__(self) -> bool:
        """Whether any loop has a value."""
        return bool(self._values)

    async def get(self) -> T:
        """The running loop's value, made on first use."""
        loop = anyio.lowlevel.current_token().native_token
        try:
            return self._values[loop][0]
        except KeyError:
            value = self._make()
            guard = self._until_loop_ends(loop, value)
            await anext(guard)  # to its yield, at once: nothing else runs meanwhile
            with self._lock:
                for other in [known for known in self._values if is_closed(known)]:
                    del self._values[other]  # its end was not told: nobody can close its value
                self._values[loop] = value, guard
            return value

    async def _until_loop_ends(self, loop: Any, value: T) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._values.pop(loop, None)
            await finish(self._close, value)  # all of it: trio ends generators in a cancelled scope

    async def aclose(self) -> None:
        """Close the running loop's value now, and other loops' on those loops."""
        own = anyio.lowlevel.current_token().native_token
        with self._lock:
            values = list(self._values.items())
            self._values.clear()  # a generator that is being closed can't be closed again
        for loop, (_, guard) in values:
            if loop is own:
                await guard.aclose()
            else:
                close_on(loop, guard)

    def abandon(self) -> None:
        """Nobody will close it any more: each loop closes its own value when it ends."""
        with self._lock:
            for loop, (_, guard) in self._values.items():
                keep(loop, guard)
