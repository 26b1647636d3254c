# Generated from tests/_async/test_pages.py by scripts/make_sync.py. Do not edit.
"""Walking a list page by page: every row once, and the next page on its way."""

from __future__ import annotations

import contextvars
import gc
import weakref
from typing import Any

import pytest

from quatrain import InputError
from quatrain._sync.pages import pages

from .._doubles import List


class Entry:
    """Something that tells whether it is still there."""


BOTH = pytest.mark.parametrize("prefetch", [True, False])


@BOTH
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6])
def test_every_row_comes_once_and_in_order(count: int, prefetch: bool) -> None:
    """A short page is the last; where the pages are all full, an empty one is."""
    served = List(count)
    walk = pages(served.fetch, page_size=2, prefetch=prefetch)
    assert [row for row in walk] == served.rows
    assert served.asked == [(2, 2 * number) for number in range(count // 2 + 1)]
    assert [row for row in walk] == []


def test_nothing_is_asked_for_before_a_row_is() -> None:
    """A walk that nobody begins costs nothing."""
    served = List(3)
    with pages(served.fetch):
        pass
    assert served.asked == []


def test_the_next_page_is_asked_for_while_this_one_is_worked_on() -> None:
    """One ahead, and no more, whatever time the caller takes."""
    served = List(7)
    asked: list[int] = []
    with pages(served.fetch, page_size=2) as walk:
        for row in walk:
            served.wait_asked(min(row // 2 + 2, 4))
            asked.append(len(served.asked))
    assert asked == [2, 2, 3, 3, 4, 4, 4]


def test_progress_is_told_with_each_page() -> None:
    """How many rows of the list have come, those before the offset counted."""
    served = List(7)
    told: list[int] = []
    walk = pages(served.fetch, page_size=2, offset=2, on_progress=told.append)
    assert [row for row in walk] == served.rows[2:]
    assert told == [4, 6, 7]


def test_what_progress_raises_comes_out_and_loses_no_row() -> None:
    """The rows of that page are still there."""
    served = List(4)

    def fail(_: int) -> None:
        raise RuntimeError("no room on the screen")

    walk = pages(served.fetch, page_size=3, on_progress=fail)
    with pytest.raises(RuntimeError, match="no room"):
        next(walk)
    assert next(walk) == served.rows[0]
    walk.close()


def test_without_prefetch_a_page_is_asked_for_when_it_is_needed() -> None:
    """And not before."""
    served = List(5)
    walk = pages(served.fetch, page_size=2, prefetch=False)
    assert [len(served.asked) for _ in walk] == [1, 1, 2, 2, 3]


@BOTH
@pytest.mark.parametrize(
    ("max_items", "asked"),
    [
        (0, []),
        (1, [(1, 0)]),
        (2, [(2, 0)]),
        (3, [(2, 0), (1, 2)]),
        (4, [(2, 0), (2, 2)]),
        (99, [(2, 0), (2, 2), (2, 4)]),
    ],
)
def test_no_more_rows_come_than_are_wanted(
    max_items: int, asked: list[tuple[int, int]], prefetch: bool
) -> None:
    """Nor are they asked for."""
    served = List(5)
    walk = pages(served.fetch, page_size=2, max_items=max_items, prefetch=prefetch)
    assert [row for row in walk] == served.rows[:max_items]
    assert served.asked == asked


@BOTH
@pytest.mark.parametrize("max_items", [None, 1, 3, 5])
def test_a_page_may_be_longer_than_was_asked_for(max_items: int | None, prefetch: bool) -> None:
    """The walk moves on by the rows received."""
    served = List(7)

    def fetch(limit: int, offset: int) -> list[Any]:
        return served.fetch(3, offset)

    walk = pages(fetch, page_size=2, max_items=max_items, prefetch=prefetch)
    assert [row for row in walk] == served.rows[:max_items]
    assert [offset for _, offset in served.asked] == [0, 3, 6][: len(served.asked)]


@BOTH
def test_its_offset_takes_up_where_it_was_left(prefetch: bool) -> None:
    """It counts the rows handed out, not those that have come."""
    served = List(9)
    seen: list[tuple[int, int]] = []
    with pages(served.fetch, page_size=2, offset=3, prefetch=prefetch) as walk:
        offsets = [walk.offset]
        for row in walk:
            seen.append((row, walk.offset))
            if row == 5:
                break
    offsets.append(walk.offset)
    assert offsets == [3, 6]
    assert seen == [(3, 4), (4, 5), (5, 6)]
    rest = pages(served.fetch, page_size=2, offset=walk.offset, prefetch=prefetch)
    assert [row for row in rest] == [6, 7, 8]


@BOTH
def test_a_loop_that_was_left_can_be_taken_up(prefetch: bool) -> None:
    """By the same walk: nothing that has come is lost."""
    served = List(7)
    walk = pages(served.fetch, page_size=3, prefetch=prefetch)
    found: list[int] = []
    while len(found) < 7:
        for row in walk:
            found.append(row)
            break
    assert found == served.rows
    assert [offset for _, offset in served.asked] == [0, 3, 6]


@BOTH
@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_error_comes_in_its_turn(kind: type[BaseException], prefetch: bool) -> None:
    """After the rows before it; asked again, the walk asks for that page again."""
    served = List(5)
    served.faults = {0: kind("first"), 2: kind("second")}
    walk = pages(served.fetch, page_size=2, prefetch=prefetch)
    found: list[Any] = []
    while walk.offset < 5:
        try:
            for row in walk:
                found.append(row)  # noqa: PERF401 - what came before the error counts
        except kind as exc:
            found.append(str(exc))
            assert exc.__context__ is None
    assert found == ["first", 0, 1, "second", 2, 3, 4]


def test_an_error_that_nobody_comes_to_is_not_heard_of() -> None:
    """The loop was left before its turn."""
    served = List(5)
    served.faults = {2: ValueError("second")}
    for _ in pages(served.fetch, page_size=2):
        served.wait_asked(2)
        break
    gc.collect()
    assert served.faults == {}


@pytest.mark.parametrize("held_up", [True, False])
def test_what_nobody_comes_to_holds_nothing_alive(held_up: bool) -> None:
    """No cycle is left of an error, its frames and the walk, whenever it comes."""
    alive: weakref.WeakSet[Entry] = weakref.WeakSet()
    served = List(5, held=(2,) if held_up else ())

    def fetch(limit: int, offset: int) -> list[Any]:
        entry = Entry()
        alive.add(entry)
        rows = served.fetch(limit, offset)
        if offset:
            raise LookupError(entry)
        return rows

    gc.collect()
    gc.disable()
    try:
        walk = pages(fetch, page_size=2)
        assert next(walk) == 0
        served.wait_asked(2)
        del walk
        for event in served.held.values():
            event.set()
        served.wait_until(lambda: not alive)
    finally:
        gc.enable()


def test_a_walk_that_was_closed_is_over() -> None:
    """Its rows are let go, and its offset stays; twice is fine."""
    served = List(9)
    walk = pages(served.fetch, page_size=3)
    with walk:
        assert next(walk) == 0
    walk.close()
    assert [row for row in walk] == []
    assert walk.offset == 1
    assert len(served.asked) <= 2


def test_a_walk_that_was_not_begun_can_be_closed() -> None:
    """Nothing is ever asked for."""
    served = List(9)
    walk = pages(served.fetch)
    walk.close()
    assert [row for row in walk] == []
    assert served.asked == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"page_size": 0}, "page_size"),
        ({"page_size": 2.0}, "page_size"),
        ({"page_size": True}, "page_size"),
        ({"max_items": -1}, "max_items"),
        ({"max_items": "5"}, "max_items"),
        ({"offset": -1}, "offset"),
        ({"offset": None}, "offset"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(settings: dict[str, Any], reason: str) -> None:
    """At once, and in the words of whoever offers the walk."""
    served = List(9)
    with pytest.raises(InputError, match=reason):
        pages(served.fetch, **settings)
    with pytest.raises(LookupError, match=reason):
        pages(served.fetch, refuse=LookupError, **settings)


@BOTH
def test_the_callers_context_reaches_each_request(prefetch: bool) -> None:
    """Its spans and log lines belong to the caller's."""
    request_id = contextvars.ContextVar("request_id", default="none")
    served = List(5)
    seen: list[str] = []

    def fetch(limit: int, offset: int) -> list[Any]:
        seen.append(request_id.get())
        return served.fetch(limit, offset)

    request_id.set("r-1")
    for row in pages(fetch, page_size=2, prefetch=prefetch):
        if row == 1:
            request_id.set("r-2")
    assert seen == ["r-1", "r-1", "r-2"] if prefetch else ["r-1", "r-2", "r-2"]


@BOTH
def test_two_pages_are_the_most_that_memory_holds(prefetch: bool) -> None:
    """And the row in hand, however slow the caller is."""
    alive: weakref.WeakSet[Entry] = weakref.WeakSet()
    served = List(0)

    def fetch(limit: int, offset: int) -> list[Entry]:
        served.fetch(limit, offset)
        made = [Entry() for _ in range(limit if offset < 100 else 0)]
        alive.update(made)
        return made

    most = 0
    for _ in pages(fetch, page_size=10, prefetch=prefetch):
        served.wait_asked(len(served.asked))
        most = max(most, len(alive))
    assert most <= (21 if prefetch else 11)
    del _
    assert len(alive) == 0
    assert len(served.asked) == 11
