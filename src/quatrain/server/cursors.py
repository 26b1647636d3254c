"""Where the next page begins, for clients to hand back and not to read."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from .problems import Fault, ProblemError, validation_failed

_MAX_ROW: Final = 2**63 - 1


def cursor(row: int | None) -> str | None:
    """A row's id as a cursor; None for the last page."""
    return None if row is None else _encoded(b"%d" % row)


def row_of(given: str | None) -> int | None:
    """What ``cursor`` made; raises ProblemError 422 for anything else."""
    if given is None:
        return None
    row = _number(_decoded(given))
    if row is None:
        raise _not_ours()
    return row


def pair_cursor(pair: tuple[int, int] | None) -> str | None:
    """Two rows' ids as one cursor, where a page's place is told by both; None for the last page."""
    return None if pair is None else _encoded(b"%d.%d" % pair)


def pair_of(given: str | None) -> tuple[int, int] | None:
    """What ``pair_cursor`` made; raises ProblemError 422 for anything else."""
    if given is None:
        return None
    numbers = [_number(part) for part in _decoded(given).split(b".")]
    match numbers:
        case [int(first), int(second)]:
            return first, second
    raise _not_ours()


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _number(digits: bytes) -> int | None:
    row = int(digits) if digits.isdigit() and len(digits) < 20 else -1
    return row if 0 <= row <= _MAX_ROW else None


def _not_ours() -> ProblemError:
    return validation_failed([Fault(("query", "cursor"), "is not one of ours", "value")])
