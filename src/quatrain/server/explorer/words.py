"""Facts in an operator's words: times, durations, and the text of others, shown and not obeyed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from quatrain.server.times import iso_time

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
PAYLOAD_SHOWN: Final = 20_000
"""Characters that a page shows of a payload; the export has all."""


def printable(text: str, *, lines: bool = False) -> str:
    r"""*text* with everything that is no visible character escaped: controls, bidi, surrogates.

    ``"a\u202eb"`` becomes ``"a\\u202eb"``: nothing on the page reads other than it is. With *lines*
    its line breaks stay.
    """
    return "".join(
        char
        if char.isprintable() or (lines and char == "\n")
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def brief(text: str, most: int = 80) -> str:
    """Its beginning, printable, with an ellipsis where it goes on."""
    return printable(text) if len(text) <= most else f"{printable(text[: most - 1])}…"


def duration(ms: int) -> str:
    """``1 d 3 h``, ``2 min 5 s``, ``350 ms``: the two largest units."""
    ms = max(ms, 0)
    if ms < 1_000:
        return f"{ms} ms"
    parts = []
    for size, unit in _UNITS:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def when(ms: int) -> str:
    """``2026-11-25 17:58:03 UTC``."""
    return f"{iso_time(ms)[:10]} {iso_time(ms)[11:19]} UTC"


def payload(text: str) -> str:
    """A JSON text in lines, in ASCII but for what is printable, cut where it is long."""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        shown = text
    shown = printable(shown, lines=True)
    if len(shown) <= PAYLOAD_SHOWN:
        return shown
    return f"{shown[:PAYLOAD_SHOWN]}\n… {len(shown):,} characters in all; the export has them"


def facts(detail: str) -> list[tuple[str, str]]:
    """The JSON object of a line of an audit trail: names and values, each in brief."""
    try:
        content = json.loads(detail)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return [("", brief(detail, 200))]
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in content.items()
    }
    return [(brief(name), brief(text, 500)) for name, text in texts.items()]


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "printable": printable,
    "brief": brief,
    "duration": duration,
    "when": when,
    "iso": iso_time,
    "payload": payload,
    "facts": facts,
}
