"""Webhooks of Vendo, verified. Source: contracts, Vendo, "Webhooks".

::

    webhooks = WebhooksAPI()  # the secret is VENDO_WEBHOOK_SECRET

    @app.post("/webhooks")
    async def receive(request: Request) -> Response:
        try:
            event = webhooks.verify(request.headers, await request.body())
        except ValidationError:
            return Response(status_code=400)
        ...

It needs no API key, makes no request, and is the same in async and in blocking code.
"""

from __future__ import annotations

import datetime as dt
import hmac
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .._headers import headers_of
from .._secret import Secret
from .._strict_json import DECODER, is_deeper
from ..errors.vendo import ValidationError, VendoConfigError
from ..models.vendo import WebhookEvent
from ..webhooks.signatures import SecretLike, digest, usable

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "MissingSecretError",
    "WebhooksAPI",
    "sign",
]

SIGNATURE_HEADER: Final = "Vendo-Signature"
TIMESTAMP_HEADER: Final = "Vendo-Timestamp"

MAX_AGE_SECONDS: Final = 300
"""A signature is good for so long, either way (contract)."""
MAX_DEPTH: Final = 64
"""Objects and arrays inside one another; an event has two or three."""

_SECRET: Final = "VENDO_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
# float() and fromisoformat() take more: "nan", "1_0", other digits, "20260101", no offset
_EPOCH: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_RFC_3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


class MissingSecretError(ValidationError, VendoConfigError):
    """There is no secret, so nothing can be verified: set ``VENDO_WEBHOOK_SECRET``.

    To the sender it is a refusal like any other; to you a setting that is missing.
    """


class WebhooksAPI:
    """Verifies webhook requests, and gives what they tell.

    - ``secret``: one, or several of them while they are rotated: any may match. Unless given it is
      read from ``VENDO_WEBHOOK_SECRET`` (several: by commas) at each ``verify``, so that a module
      may hold a ``WebhooksAPI()`` before its environment is set up.
    - ``max_age_sec``: how far a signature's time may be off in seconds, either way.
    - ``now``: the time in Unix seconds, for tests.

    A request is good for *max_age_sec* as often as it is sent: keep the ids of events that must
    not be handled twice.

    Raises ValidationError for a *max_age_sec* that is no number of seconds, and MissingSecretError
    for a *secret* that is given and can't be one: empty, or no string.
    """

    def __init__(
        self,
        secret: SecretLike | Sequence[SecretLike] | None = None,
        max_age_sec: float = MAX_AGE_SECONDS,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        # rebound: what is raised shows no secret among this frame's locals
        secret = None if secret is None else usable(secret)
        number = isinstance(max_age_sec, int | float) and not isinstance(max_age_sec, bool)
        if not number or not max_age_sec >= 0:  # NaN is not
            raise ValidationError("max_age_sec has to be a number of seconds, not below zero")
        if secret == ():
            raise MissingSecretError("secret has to be a string that is not empty, or several")
        self._secrets: tuple[Secret, ...] | None = secret
        self._max_age = max_age_sec
        self._now = now

    def __repr__(self) -> str:
        return f"WebhooksAPI(max_age_sec={self._max_age!r})"

    def verify(self, headers: Any, body: bytes | bytearray | memoryview | str) -> WebhookEvent:
        """The event of a request that was signed with the secret, just now.

        *headers* is a mapping, a framework's headers, or pairs of str or bytes; names count in any
        case. *body* is the raw body as it came; a str is taken for its UTF-8. What was parsed and
        written again has another signature.

        Raises ValidationError, and nothing else, for a request that is not what it claims to be,
        whatever it holds: a header that is missing or given twice, a time that is too old, too
        early or none, another signature, a body that is no event. Where there is no secret that is
        a MissingSecretError, which is a ConfigError as well.
        """
        secrets = self._secrets if self._secrets is not None else _environment()
        if not secrets:
            raise MissingSecretError(f"the webhook secret is missing: pass it, or set {_SECRET}")
        given = headers_of(headers, (SIGNATURE_HEADER, TIMESTAMP_HEADER))
        signature, moment = (
            _present(name, given[name]) for name in (SIGNATURE_HEADER, TIMESTAMP_HEADER)
        )
        if not _HEX.fullmatch(signature):
            raise ValidationError(f"{SIGNATURE_HEADER} is not 64 hexadecimal digits")
        signed_at = _seconds(moment)
        if signed_at is None:
            raise ValidationError(f"{TIMESTAMP_HEADER} is neither Unix seconds nor RFC 3339")
        content = _as_bytes(body)
        if abs(int(self._now()) - signed_at) > self._max_age:
            raise ValidationError(f"{TIMESTAMP_HEADER} is more than {self._max_age} seconds off")
        claimed = signature.lower()
        if not any(
            hmac.compare_digest(digest(each.reveal().encode(), moment, content), claimed)
            for each in secrets
        ):
            raise ValidationError(f"{SIGNATURE_HEADER} is of another secret, time or body")
        return _event(content)


def sign(secret: SecretLike, body: bytes | str, timestamp: float | str) -> str:
    """The value of ``Vendo-Signature`` for this raw *body*, signed at *timestamp*.

    *timestamp* is what ``Vendo-Timestamp`` says, character by character: Unix seconds, or RFC 3339.
    For tests of your endpoint; ``testing.webhook_delivery`` makes the whole request. Raises
    ValidationError for a secret, body or time that nothing can be signed with.
    """
    # rebound: what is raised shows no secret among this frame's locals
    secret = (
        usable(secret)[0] if isinstance(secret, str | Secret) and usable(secret) else Secret("")
    )
    if not secret:
        raise ValidationError("the secret has to be a string that is not empty")
    moment = timestamp if isinstance(timestamp, str) else _digits(timestamp)
    if _seconds(moment) is None:
        raise ValidationError("the timestamp has to be Unix seconds, or RFC 3339")
    return digest(secret.reveal().encode(), moment, _as_bytes(body))


def _digits(timestamp: Any) -> str:
    try:
        return str(timestamp) if isinstance(timestamp, int | float) else ""
    except ValueError:  # more digits than Python turns into text
        return ""


def _environment() -> tuple[Secret, ...]:
    parts = (part.strip() for part in os.environ.get(_SECRET, "").split(","))
    # one by one: an environment that is not UTF-8 holds surrogates, which nothing is signed with
    return tuple(secret for part in parts for secret in usable(part))


def _present(name: str, value: str | None) -> str:
    if not value:
        raise ValidationError(f"{name} is missing, or given more than once")
    return value


def _seconds(moment: str) -> int | None:
    """The whole Unix seconds that *moment* says; None when it is no time."""
    if _EPOCH.fullmatch(moment):
        return int(moment.partition(".")[0])
    match = _RFC_3339.fullmatch(moment)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    sign_, hours, minutes = match[7] or "+", int(match[8] or 0), int(match[9] or 0)
    leap = second == 60
    if hours > 23 or minutes > 59:
        return None
    try:
        local = dt.datetime(year, month, day, hour, minute, second - leap, tzinfo=dt.UTC)
    except ValueError:  # a month, day, hour, … that there is not
        return None
    offset = (hours * 60 + minutes) * 60
    # in seconds: the first and last days of the calendar have no other zone's time
    return int(local.timestamp()) + leap + (offset if sign_ == "-" else -offset)


def _as_bytes(body: Any) -> bytes:
    try:
        if isinstance(body, str):
            return body.encode()
        if isinstance(body, bytes | bytearray | memoryview):
            return bytes(body)
    except ValueError:  # a lone surrogate; a view that was released
        pass
    kind = type(body).__name__
    raise ValidationError(
        f"the body has to be the raw one of the request, before any parsing: got {kind}"
    )


def _event(content: bytes) -> WebhookEvent:
    """The event that a *content* tells whose signature is right."""
    try:
        text = content.decode()
        payload = DECODER.decode(text)
    except (ValueError, RecursionError) as exc:
        reason = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise ValidationError(f"the body is not JSON: {reason}") from None
    if is_deeper(payload, text, MAX_DEPTH):
        raise ValidationError("the body is not JSON: nested too deeply")
    if not isinstance(payload, Mapping):
        raise ValidationError("the body is no event: it has to be an object")
    data = payload.get("data")
    if not isinstance(data, dict | None):
        raise ValidationError("the body is no event: data has to be an object")
    return WebhookEvent(
        id=_string(payload, "id"),
        type=_string(payload, "type"),
        occurred_at=_string(payload, "occurred_at", optional=True),
        data={} if data is None else data,
    )


def _string(payload: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    """A string that can be stored and compared; without an id an event could not be told apart."""
    value = payload.get(name)
    if value is None and optional:
        return ""
    try:
        if isinstance(value, str) and (value or optional):
            value.encode()
            return value
    except UnicodeEncodeError:  # a lone surrogate
        pass
    raise ValidationError(f"the body is no event: {name} has to be a string that is not empty")
