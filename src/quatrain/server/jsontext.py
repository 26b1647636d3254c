"""JSON in, strictly; JSON out, compactly.

In: UTF-8 only, no NaN, no number beyond a double, no name given twice in an object (readers would
differ on which counts), and no nesting that a later reader might stumble over. Out: ASCII, so that
any text a JSON string can hold, lone surrogates included, comes back as it went in.
"""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from .problems import ProblemError

MAX_DEPTH: Final = 200
"""Objects and arrays inside one another. Python's reader gives up somewhere near 1,000."""

_MAX_DIGITS: Final = 1_000


def parse(body: bytes) -> Any:
    """The value of a JSON text; raises ProblemError ``not_utf8`` or ``invalid_json`` (400)."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ProblemError(400, "not_utf8", f"the body is not UTF-8: byte {exc.start}") from None
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise ProblemError(400, "invalid_json", f"the body is not JSON: {exc}") from None
    # every level opens a bracket: few brackets, few levels
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _too_deep()
    return value


def dump(value: Any) -> str:
    """Compact ASCII JSON."""
    return _encoder.encode(value)


def size(value: Any) -> int:
    """Bytes of *value* as compact UTF-8: the smallest of its usual forms."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def _too_deep() -> ProblemError:
    return ProblemError(400, "invalid_json", f"the body is nested deeper than {MAX_DEPTH} levels")


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
    # Python itself refuses to turn more than 4,300 digits into a number, or back into text
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS:,} digits")
    return int(text)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant
)
_encoder: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
