"""Ids on the wire: ``<prefix>_<number>``, a word for what it names and the number of its row."""

from __future__ import annotations


def row_id(given: str, prefix: str) -> int | None:
    """The number in ``<prefix>_<number>``; None for what we never gave out."""
    head, _, number = given.partition("_")
    if head == prefix and number.isascii() and number.isdecimal() and len(number) < 19:
        return int(number)
    return None
