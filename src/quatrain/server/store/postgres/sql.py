"""The one SQL text of both databases, as PostgreSQL's driver takes it.

``:name`` and ``?`` become the driver's placeholders, ``%`` is doubled, and the few functions that
go by another name get it. What stands in quotes stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_FUNCTIONS: Final = {"instr(": "strpos("}
_TOKEN: Final = re.compile(
    r"""
    (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<cast> ::\w+ )
    | :(?P<name> [A-Za-z_]\w* )
    | (?P<place> \? )
    | (?P<percent> % )
    | (?P<function> \binstr\( )
    """,
    re.VERBOSE,
)
_WRITTEN: Final = re.compile(r"\s*(?:INSERT\s+INTO|UPDATE)\s+(\w+)", re.IGNORECASE)


class Translated(NamedTuple):
    """A statement for the driver."""

    text: str
    table: str | None
    """The table whose rows it adds or changes."""


@lru_cache(maxsize=2_000)
def translated(statement: str) -> Translated:
    """A statement of an operation, as the driver takes it."""
    written = _WRITTEN.match(statement)
    return Translated(_TOKEN.sub(_token, statement), written[1] if written else None)


def numbered(statement: str, names: tuple[str, ...]) -> str:
    """A statement of an operation as the server takes it: ``$1`` for the first of the names."""

    def token(found: re.Match[str]) -> str:
        name = found["name"]
        return found[0] if name is None else f"${names.index(name) + 1}"

    return _TOKEN.sub(token, statement)


def _token(found: re.Match[str]) -> str:
    text = found[0]
    if found["name"] is not None:
        return f"%({found['name']})s"
    if found["place"] is not None:
        return "%s"
    return _FUNCTIONS.get(text, text).replace("%", "%%")
