# Generated from src/quatrain/_async/pages.py by scripts/make_sync.py. Do not edit.
"""Lists that come in pages, row by row: the next page is on its way while this one is worked on.

All of them are walked in one way. A walk is no generator: left at any moment, it needs nobody to
end it, and after an error it can go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from .._paging import OffsetWalk, Walk, check
from .._runtime._core import CalledOff
from .._runtime._sync import Ahead, Fn
from ..errors import InputError

T = TypeVar("T")

PAGE_SIZE = 100
"""Rows asked for at once."""


def pages(
    fetch: Fn[[int, int], Sequence[T]],
    *,
    page_size: int = PAGE_SIZE,
    offset: int = 0,
    max_items: int | None = None,
    prefetch: bool = True,
    on_progress: Callable[[int], object] | None = None,
    refuse: Callable[[str], Exception] = InputError,
) -> Pages[T]:
    """The rows of a list from *offset* on, or the first *max_items* of them.

    ``fetch(limit, offset)`` is called for *page_size* rows at a time, first when the loop
    asks for a row. A page that is short, or empty, is the last. *on_progress* is called with each
    page that has come: how many rows of the list have, those before *offset* counted. Raises
    ``refuse(reason)`` for numbers that make no sense; see :class:`Pages` for the rest.
    """
    check(page_size, max_items, offset, refuse=refuse)
    walk = OffsetWalk[T](page_size, max_items, offset)
    return Pages(fetch, walk, prefetch=prefetch, on_progress=on_progress)


class Pages(Iterator[T]):
    """``for row in walk``: every row once, in order.

    With *prefetch* the next page is asked for as soon as one has come, never more than one ahead:
    there are at most two in memory, however slow the loop is. The error of a page is raised when
    its turn comes, after the rows before it; asked for a row again, the walk asks for that page
    again.

    A loop may be left at any moment, and the request under way is then called off: with the last
    reference to the walk, or with ``walk.close()`` or ``with walk``. Until then
    another loop may take the walk up where it was left. On an event loop the request is cancelled,
    and its connection closed; a thread's is left to end, and is not tried again.
    """

    def __init__(
        self,
        fetch: Fn[[int, Any], Any],
        walk: Walk[Any, Any, T],
        *,
        prefetch: bool,
        on_progress: Callable[[int], object] | None = None,
    ) -> None:
        self._fetch = fetch
        self._on_progress = on_progress
        self._walk = walk
        self._prefetch = prefetch
        self._rows: deque[T] = deque()
        self._ahead: Ahead[Any] = Ahead()
        self._turning = False
        self._closed = False

    @property
    def offset(self) -> int:
        """Where the next row is: with it as its *offset* another walk goes on after this one."""
        return self._walk.taken - len(self._rows)

    def __next__(self) -> T:
        while not self._rows:
            self._turn()
        return self._rows.popleft()

    def _turn(self) -> None:
        """Get the next page; raises StopIteration where there is none."""
        if self._turning:
            raise RuntimeError("two loops ask this walk for its next page at once")
        self._turning = True
        try:
            asked = self._walk.ask()
            if asked is None:
                raise StopIteration
            try:
                begun = self._ahead.begun
                page = self._ahead.result() if begun else self._fetch(*asked)
            except CalledOff:
                raise StopIteration from None
            if self._closed:  # by another task or thread, meanwhile
                raise StopIteration
            self._rows.extend(self._walk.take(page))
            ahead = self._walk.ask()
            if ahead is None:
                self._ahead.close()
            elif self._prefetch:
                self._ahead.start(self._fetch, *ahead)
            if self._on_progress is not None:
                self._on_progress(self._walk.taken)
        finally:
            self._turning = False

    def close(self) -> None:
        """End the walk and the request under way; no more rows come. Twice is fine."""
        self._closed = True
        self._walk.leave(len(self._rows))
        self._rows.clear()
        self._ahead.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
