"""Effects as a file, with their payloads: a JSON object a line, or a table for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from quatrain.errors import InputError
from quatrain.server import jsontext
from quatrain.server.asgi import Streamed
from quatrain.server.verity import answers, render
from quatrain.server.webpages import PageError

from . import queries
from .call import Call
from .filters import Wanted

_PER_READ: Final = 200
COLUMNS: Final = (
    *("namespace", "effectKey", "effectName", "status", "source", "fenceToken", "attempts"),
    *("agentId", "workflowName", "caseId", "runId", "leaseExpiresAt", "createdAt", "updatedAt"),
    *("effectId", "inputJson", "result", "error"),
)
"""Those of ``quatrain effects export``."""
_PAYLOADS: Final = frozenset({"inputJson", "result", "error"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula."""


async def json_lines(call: Call) -> Streamed:
    """Everything as it is."""
    wanted = _wanted(call)
    pieces = _pieces(call, wanted, lambda found: jsontext.dump(found) + "\n", "")
    return Streamed(pieces, "application/x-ndjson", "effects.jsonl")


async def table(call: Call) -> Streamed:
    """With a ' before what a spreadsheet would run as a formula."""
    wanted = _wanted(call)
    return Streamed(_pieces(call, wanted, _row, _line(COLUMNS)), "text/csv", "effects.csv")


def _wanted(call: Call) -> Wanted:
    """Before anything is sent: a file that has begun can't be refused any more."""
    try:
        return Wanted.of(call.query())
    except InputError as exc:
        raise PageError(400, "That did not work", str(exc)) from None


async def _pieces(
    call: Call, wanted: Wanted, shown: Callable[[answers.Effect], str], head: str
) -> AsyncGenerator[bytes, None]:
    yield head.encode()
    before: int | None = None
    while True:
        params = {
            "realm_id": call.realm_id,
            "wanted": wanted,
            "before": before,
            "limit": _PER_READ,
            "payloads": True,
        }
        part = await call.store.read(queries.part, params)
        text = "".join(shown(render.effect(found, payloads=True)) for found in part.items)
        yield text.encode("utf-8", "backslashreplace")
        before = part.next
        if before is None:
            return


def _row(found: answers.Effect) -> str:
    return _line([_cell(name, found[name]) for name in COLUMNS])


def _cell(name: str, value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, int) and name not in _PAYLOADS:
        return value
    text = json.dumps(value) if name in _PAYLOADS else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Any) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(cells)
    return file.getvalue()
