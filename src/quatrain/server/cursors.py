"""Where the next page begins, for clients to hand back and not to read."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from .problems import Fault, validation_failed

_MAX_ROW: Final = 2**63 - 1


def cursor(row: int | None) -> str | None:
    """A row's id as a cursor; None for the last page."""
    return None if row is None else base64.urlsafe_b64encode(b"%d" % row).decode().rstrip("=")


def row_of(given: str | None) -> int | None:
    """What ``cursor`` made; raises ProblemError 422 for anything else."""
    if given is None:
        return None
    try:
        digits = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        digits = b""
    row = int(digits) if digits.isdigit() and len(digits) < 20 else -1
    if not 0 <= row <= _MAX_ROW:
        raise validation_failed([Fault(("query", "cursor"), "is not one of ours", "value")])
    return row
