"""What a walk asks for, and when it stops."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._paging import CursorWalk, OffsetWalk

SIZES = st.integers(1, 7)
MOST = st.none() | st.integers(0, 40)
LIST = st.lists(st.integers(), max_size=40)


def answers(walk: OffsetWalk[int], rows: list[int], more: Iterator[int]) -> list[int]:
    """What *walk* hands out where pages have so many rows *more*, or less, than it asked for."""
    found: list[int] = []
    while (asked := walk.ask()) is not None:
        limit, offset = asked
        assert offset == walk.taken
        found += walk.take(rows[offset : offset + max(offset, offset + limit + next(more))])
    return found


@given(LIST, SIZES, MOST, st.integers(0, 45))
def test_every_row_is_handed_out_once(
    rows: list[int], page_size: int, max_items: int | None, offset: int
) -> None:
    """From the offset on, and as many as are wanted."""
    walk = OffsetWalk[int](page_size, max_items, offset)
    wanted = rows[offset:] if max_items is None else rows[offset : offset + max_items]
    assert answers(walk, rows, itertools.repeat(0)) == wanted
    assert walk.taken == offset + len(wanted)


@given(LIST, SIZES, MOST, st.integers(0, 45), st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_whatever_pages_come_no_row_is_handed_out_twice_or_passed_over(
    rows: list[int], page_size: int, max_items: int | None, offset: int, more: list[int]
) -> None:
    """Too short, too long or empty ones: what is handed out is a piece of the list, unbroken."""
    walk = OffsetWalk[int](page_size, max_items, offset)
    found = answers(walk, rows, itertools.cycle(more))
    assert found == rows[offset : offset + len(found)]
    assert walk.taken == offset + len(found)
    assert max_items is None or len(found) <= max_items


@given(LIST, SIZES, st.lists(st.tuples(MOST, st.integers(0, 12)), max_size=8))
def test_walks_that_take_up_each_others_offset_hand_out_the_whole_list(
    rows: list[int], page_size: int, left: list[tuple[int | None, int]]
) -> None:
    """Each but the last is left after so many rows, also within a page."""
    found: list[int] = []
    place = 0
    for max_items, after in [*left, (None, len(rows))]:
        walk = OffsetWalk[int](page_size, max_items, place)
        handed_out = 0
        while (asked := walk.ask()) is not None:
            limit, offset = asked
            page = walk.take(rows[offset : offset + limit])
            kept = min(len(page), after - handed_out)
            found += page[:kept]
            handed_out += kept
            if handed_out == after:
                walk.leave(len(page) - kept)
        place = walk.taken
    assert found == rows


def test_one_that_was_left_asks_for_nothing() -> None:
    """And says where it was."""
    walk = OffsetWalk[int](3, None, 5)
    walk.take([5, 6, 7])
    walk.leave(2)
    assert (walk.ask(), walk.taken) == (None, 6)


@attrs.frozen
class Page:
    """What a ledger answers."""

    items: list[int]
    next_cursor: str | None


@given(LIST, SIZES, MOST, st.lists(st.integers(1, 7), min_size=1, max_size=9))
def test_cursors_lead_through_the_whole_list(
    rows: list[int], page_size: int, max_items: int | None, lengths: list[int]
) -> None:
    """Pages may be short; the one without a cursor is the last."""
    walk = CursorWalk[int](page_size, max_items)
    found: list[int] = []
    length = itertools.cycle(lengths)
    while (asked := walk.ask()) is not None:
        limit, cursor = asked
        begin = int(cursor or 0)
        end = begin + min(limit, next(length))
        found += walk.take(Page(rows[begin:end], str(end) if end < len(rows) else None))
    assert found == rows[:max_items]
    assert walk.taken == len(found)


@pytest.mark.parametrize("page", [Page([], "again"), Page([1], None)])
def test_no_ledger_keeps_a_walk_going_for_ever(page: Page) -> None:
    """An empty page is the last, whatever cursor comes with it."""
    walk = CursorWalk[int](3, None)
    walk.take(page)
    assert walk.ask() is None
