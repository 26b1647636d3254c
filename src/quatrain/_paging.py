"""Walking a list page by page: what to ask for next, and when to stop.

A walk is a few numbers and no I/O: ``ask()`` says what to fetch, ``take(page)`` which rows of what
came are to be handed out. It moves on by the rows received, whatever was asked for, so that no row
comes twice and none is passed over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs

from .errors import InputError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")
"""What says where a page begins: an offset, or a cursor."""
P = TypeVar("P")
"""What a page comes as."""


class CursorPage(Protocol[T_co]):
    """A page that says where the next begins."""

    @property
    def items(self) -> Sequence[T_co]:
        """Its rows."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """None on the last page."""
        ...


@attrs.define
class Walk(ABC, Generic[A, P, T]):
    """How far a walk has come; each kind of page has its own way to say what comes next."""

    _page_size: int
    _left: int | None
    """Rows that may still be handed out; None for all there are."""
    taken: int = 0
    """Rows before the next page, from the beginning of the list."""
    _over: bool = False

    def ask(self) -> tuple[int, A] | None:
        """How many rows to fetch, and from where; None when the walk is over."""
        limit = self._limit
        return None if self._over or limit < 1 else (limit, self._place)

    def take(self, page: P) -> Sequence[T]:
        """The rows to hand out of *page*, which is what came for ``ask()``."""
        rows = self._look(page)
        if self._left is not None:
            rows = rows[: self._left]
            self._left -= len(rows)
        self.taken += len(rows)
        return rows

    def leave(self, unread: int) -> None:
        """Go no further; the last *unread* rows that were taken will not be handed out."""
        self._over = True
        self.taken -= unread

    @property
    @abstractmethod
    def _place(self) -> A:
        """Where the next page begins."""

    @abstractmethod
    def _look(self, page: P) -> Sequence[T]:
        """All rows of *page*, once it has been noted what comes after it."""

    @property
    def _limit(self) -> int:
        return self._page_size if self._left is None else min(self._page_size, self._left)


@attrs.define
class OffsetWalk(Walk[int, Sequence[T], T]):
    """By limit and offset: a page with fewer rows than were asked for is the last."""

    @property
    def _place(self) -> int:
        return self.taken

    def _look(self, page: Sequence[T]) -> Sequence[T]:
        self._over = len(page) < self._limit
        return page


@attrs.define
class CursorWalk(Walk[str | None, CursorPage[T], T]):
    """By cursor: the last page has none for the next, or no rows."""

    _cursor: str | None = None

    @property
    def _place(self) -> str | None:
        return self._cursor

    def _look(self, page: CursorPage[T]) -> Sequence[T]:
        self._cursor = page.next_cursor
        self._over = page.next_cursor is None or not page.items
        return page.items


def check(
    page_size: Any,
    max_items: Any,
    offset: Any = 0,
    *,
    refuse: Callable[[str], Exception] = InputError,
) -> None:
    """Raise ``refuse(reason)`` for numbers that make no sense; *max_items* may be None."""
    if not _is_whole(page_size, 1):
        raise refuse("page_size has to be a whole number of rows, 1 or more")
    if max_items is not None and not _is_whole(max_items, 0):
        raise refuse("max_items has to be a whole number of rows, 0 or more, or None for all")
    if not _is_whole(offset, 0):
        raise refuse("offset has to be a whole number of rows, 0 or more")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
