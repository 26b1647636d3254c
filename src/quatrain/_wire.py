"""JSON text, and models as JSON. The way back is in :mod:`quatrain._structure`."""

from __future__ import annotations

import functools
import json
from typing import Any, Final, NoReturn

import attrs

MAX_PAYLOAD: Final = 65_536
"""Bytes of JSON in an effect's input, result or error (contracts, Verity, "Endpoints")."""


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON. Raises TypeError or ValueError for what JSON can't hold."""
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
    except RecursionError:
        msg = "nested too deeply, or it holds itself"
        raise ValueError(msg) from None


def loads(content: bytes) -> Any:
    """Strict JSON; raises ValueError for anything else, not UTF-8 and too deep included."""
    return loads_text(content.decode())


def loads_text(text: str) -> Any:
    """The same of text."""
    try:
        return _strict.decode(text)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


# json.loads with an option makes a decoder each time
_strict: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def payload_size(value: Any) -> int:
    """Bytes *value* takes as JSON. Raises ValueError or TypeError when it is none."""
    return len(dumps(value))


@functools.cache
def camel(name: str) -> str:
    """``lease_duration_ms`` → ``leaseDurationMs``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def to_wire(body: Any) -> dict[str, Any]:
    """A request body as a camelCase dict, optional fields left out while None.

    A required field is sent even when it is None: a null ``result`` is a result.
    """
    return {
        camel(field.name): value
        for field in attrs.fields(type(body))
        if (value := getattr(body, field.name)) is not None or field.default is attrs.NOTHING
    }
