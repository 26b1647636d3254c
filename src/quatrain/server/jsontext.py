"""JSON in, strictly; JSON out, compactly.

In: UTF-8 only, no NaN, no number beyond a double, no name given twice in an object (readers would
differ on which counts), and no nesting that a later reader might stumble over. Out: ASCII, so that
any text a JSON string can hold, lone surrogates included, comes back as it went in.
"""

from __future__ import annotations

import json
from typing import Any, Final

from quatrain._strict_json import DECODER, is_deeper

from .problems import ProblemError

MAX_DEPTH: Final = 200
"""Objects and arrays inside one another. Python's reader gives up somewhere near 1,000."""


def parse(body: bytes) -> Any:
    """The value of a JSON text; raises ProblemError ``not_utf8`` or ``invalid_json`` (400)."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ProblemError(400, "not_utf8", f"the body is not UTF-8: byte {exc.start}") from None
    try:
        value = DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise ProblemError(400, "invalid_json", f"the body is not JSON: {exc}") from None
    if is_deeper(value, text, MAX_DEPTH):
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


_encoder: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
