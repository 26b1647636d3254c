"""SQL by name: the statements stand in ``sql/<file>.sql``, each under a ``-- name --`` line."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

_HEADING: Final = re.compile(r"^-- (\w+) --\n", re.MULTILINE)
_SQL: Final = resources.files("quatrain.server.store") / "sql"


@cache
def load(file: str) -> MappingProxyType[str, str]:
    """The statements of ``sql/<file>.sql`` by their names."""
    _preamble, *parts = _HEADING.split((_SQL / f"{file}.sql").read_text("utf-8"))
    names, texts = parts[::2], parts[1::2]
    return MappingProxyType(
        {name: _without_comments(text) for name, text in zip(names, texts, strict=True)}
    )


@cache
def migrations() -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Every migration as (number, name, statements), in the order of their numbers."""
    steps = []
    for file in (_SQL / "migrations").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        text = _without_comments(file.read_text("utf-8"))
        statements = tuple(filter(None, (part.strip() for part in text.split(";\n"))))
        steps.append((int(number), name, statements))
    return tuple(sorted(steps))


def _without_comments(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("--")).strip() + "\n"
