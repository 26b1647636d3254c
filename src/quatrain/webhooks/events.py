"""What is read out of a webhook request: its headers, whatever kind of object they come in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from .signatures import DELIVERY_ID_HEADER, EVENT_TYPE_HEADER, SIGNATURE_HEADER

_NAMES: Final = (SIGNATURE_HEADER, EVENT_TYPE_HEADER, DELIVERY_ID_HEADER)


@attrs.frozen
class WebhookEvent:
    """A request whose signature is right.

    The signature covers ``payload`` and ``timestamp``. It covers neither ``event_type`` nor
    ``delivery_id``, which are headers: take no decision on these alone that the payload could take.
    """

    event_type: str
    """"" when the header is missing."""
    delivery_id: str
    """"" when the header is missing."""
    payload: Any
    """The JSON body; an empty body is ``{}``."""
    timestamp: int
    """When it was signed, in Unix seconds."""


@attrs.frozen
class Headers:
    """The three headers that matter; None for what is missing, given twice, or no text."""

    signature: str | None
    event_type: str | None
    delivery_id: str | None


def read_headers(headers: Any) -> Headers:
    """From a mapping, a framework's headers, or pairs of str or bytes; it never raises."""
    try:
        pairs = list(_pairs(headers))
    except Exception:  # noqa: BLE001 - a wrong thing, or one that can't be read: nothing is there
        pairs = []
    found: dict[str, list[Any]] = {name.lower(): [] for name in _NAMES}
    for name, value in pairs:
        key = _text(name)
        if key is not None and key.lower() in found:
            found[key.lower()].append(value)
    # given twice it is nobody's: readers would differ on which counts
    signature, event_type, delivery_id = (
        _text(values[0]) if len(values) == 1 else None for values in found.values()
    )
    return Headers(signature, event_type, delivery_id)


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    if callable(getattr(headers, "items", None)):
        items: Any = headers.items()
    elif callable(getattr(headers, "get", None)):
        # a name that it does not know it knows in lower case, if at all
        return [(name, headers.get(name) or headers.get(name.lower())) for name in _NAMES]
    else:
        items = headers
    return ((item[0], item[1]) for item in items if len(item) == 2)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which no answer could repeat
        return None
    return value
