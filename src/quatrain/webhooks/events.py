"""What is read out of a webhook request: its headers, whatever kind of object they come in."""

from __future__ import annotations

from typing import Any, Final

import attrs

from .._headers import headers_of
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
    found = headers_of(headers, _NAMES)
    return Headers(found[SIGNATURE_HEADER], found[EVENT_TYPE_HEADER], found[DELIVERY_ID_HEADER])
