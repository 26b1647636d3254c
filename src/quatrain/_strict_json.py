"""JSON that every reader takes for the same: no I/O, and only ValueError.

No NaN, no number beyond a double, no name given twice in an object (readers would differ on which
counts), no integer that Python itself would balk at. A lone surrogate, which JSON can write, is let
through.
"""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

MAX_DIGITS: Final = 1_000
"""Python refuses to turn more than 4,300 digits into a number, or back into text."""


def is_deeper(value: Any, text: str, limit: int) -> bool:
    """Whether objects and arrays stand inside one another more than *limit* deep.

    *text* is what *value* was read from: few brackets there, few levels.
    """
    return text.count("[") + text.count("{") > limit and _depth(value) > limit


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while containers := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in containers for child in _children(item)]
    return depth


def _children(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        times = collections.Counter(name for name, _ in pairs)
        ((twice, _),) = times.most_common(1)
        raise ValueError(f"the name {twice[:100]!r} is given twice in one object")
    return result


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:50]} is too large")
    return number


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS:,} digits")
    return int(text)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant
)
"""Also raises RecursionError, near 1,000 levels."""
