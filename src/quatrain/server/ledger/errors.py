"""What an agent reported as its error, in short: the audit trail keeps that of every attempt."""

from __future__ import annotations

import json
from typing import Final

MOST: Final = 1_000
"""Characters."""


def in_short(error: str) -> str:
    """``TimeoutError: the bank did not answer``, of an error as clients report it.

    A text is told as it is, and what is neither as its JSON; all of it cut where it is long.
    """
    try:
        content = json.loads(error)
    except (ValueError, RecursionError):
        content = None
    told = content if isinstance(content, str) else ""
    if isinstance(content, dict):
        parts = [content.get(name) for name in ("name", "message")]
        told = ": ".join(part for part in parts if isinstance(part, str) and part)
    told = told or error
    return told if len(told) <= MOST else f"{told[: MOST - 1]}…"
