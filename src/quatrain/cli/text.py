"""Text of others on a terminal: shown as it is, never obeyed."""

from __future__ import annotations

import json
from typing import Any, Final

from rich.text import Text

__all__ = ["cell", "json_shown", "json_text", "printable"]

PAYLOAD_SHOWN: Final = 2_000
"""Characters that are printed of an input, a result, a payload."""


def printable(text: str) -> str:
    r"""*text* with everything that is no visible character escaped: controls, bidi, surrogates.

    ``"a\x1b[2J"`` becomes ``"a\\x1b[2J"``. Line breaks are escaped as well: it stays one line.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def cell(value: object, *, style: str = "") -> Text:
    """A table's cell: no markup and no emoji codes; None is a dash."""
    if value is None:
        return Text("-", style="dim")
    return Text(printable(str(value)), style=style)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON in ASCII, which no terminal obeys either."""
    return json.dumps(value, indent=indent)


def json_shown(value: Any) -> str:
    """JSON in lines, cut where it is long."""
    text = json_text(value, indent=2)
    if len(text) <= PAYLOAD_SHOWN:
        return text
    return f"{text[:PAYLOAD_SHOWN]}\n… {len(text):,} characters in all; --json has them"
