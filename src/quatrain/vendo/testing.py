"""For the tests of programs that use Vendo: no request is made, and no environment is read.

``MockClient`` and ``MockAsyncClient`` stand in for ``Vendo`` and ``AsyncVendo``; their connections
are made by ``fake_connection``. ``webhook_delivery`` makes signed requests for your endpoint.
Source: contracts, Vendo, "Testing helpers".
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Mapping
from typing import Any

from .. import _wire
from .._async.mock import MockAsyncClient
from .._secret import Secret
from .._sync.mock import MockClient
from .._vendo_fakes import MockCall, fake_connection
from ..errors.vendo import ValidationError
from ..webhooks.signatures import SecretLike
from .webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

__all__ = ["MockAsyncClient", "MockCall", "MockClient", "fake_connection", "webhook_delivery"]


def webhook_delivery(
    secret: SecretLike,
    event_type: str,
    data: Mapping[str, Any] | None = None,
    *,
    event_id: str | None = None,
    occurred_at: str | None = None,
    timestamp: int | str | None = None,
) -> tuple[dict[str, str], bytes]:
    """Headers and raw body of a webhook request as Vendo sends it: for tests of your endpoint.

    ``headers, body = webhook_delivery(secret, "connection.connected", {"slug": "gmail"})``. Without
    an *event_id* each call makes a new one. *timestamp*, when it is signed, is in Unix seconds or
    RFC 3339; it and *occurred_at* are now unless given. Raises ValidationError for data that is not
    JSON, and for what can't be signed.
    """
    secret = Secret(secret) if isinstance(secret, str) else secret  # shown by no traceback
    if occurred_at is None:
        occurred_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    event = {
        "id": f"evt_{secrets.token_hex(12)}" if event_id is None else event_id,
        "type": event_type,
        "occurred_at": occurred_at,
        "data": dict(data or {}),
    }
    try:
        body = _wire.dumps(event)
    except (TypeError, ValueError) as exc:
        raise ValidationError(f"the data is not JSON: {exc}") from None
    moment = int(time.time()) if timestamp is None else timestamp
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: str(moment),
        SIGNATURE_HEADER: sign(secret, body, moment),
    }
    return headers, body
