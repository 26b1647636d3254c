"""An exception as the ledger keeps it: JSON that always fits."""

from __future__ import annotations

import traceback
from typing import Any, Final

from ._wire import MAX_PAYLOAD, payload_size

FIELD: Final = 8_000
"""Characters kept of each field."""


def describe_failure(exc: BaseException) -> dict[str, Any]:
    """``{name, message, stack}``, cut to fit (contracts, Verity, "Client")."""
    stack = "".join(traceback.format_exception(exc))
    failure = {
        "name": _cut(type(exc).__name__, keep_end=False),
        "message": _cut(_text(exc), keep_end=False),
        # the innermost frames stand at the end
        "stack": _cut(stack, keep_end=True),
    }
    if payload_size(failure) > MAX_PAYLOAD:
        del failure["stack"]
    return failure


def _text(exc: BaseException) -> str:
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - a user's __str__ may fail in any way
        return "(its text could not be made)"


def _cut(text: str, *, keep_end: bool) -> str:
    # a lone surrogate is no Unicode text: JSON in UTF-8 can't carry it
    text = text.encode(errors="replace").decode()
    if len(text) <= FIELD:
        return text
    return f"[cut] …{text[-FIELD:]}" if keep_end else f"{text[:FIELD]}… [cut]"
