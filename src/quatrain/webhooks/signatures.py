"""Signatures of webhook requests: made, checked, and put on whole requests for tests. No I/O.

A request is signed for one moment: ``t`` is when, in Unix seconds, and ``v1`` the HMAC-SHA256 of
``"{t}."`` and the raw body. Source: contracts, Velocity OS, "Webhooks".
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from .. import _wire
from .._secret import Secret
from ..errors.velocity import InputError

DELIVERY_ID_HEADER: Final = "X-VOS-Delivery-ID"
EVENT_TYPE_HEADER: Final = "X-VOS-Event-Type"
SIGNATURE_HEADER: Final = "X-VOS-Signature"

MAX_SKEW_SECONDS: Final = 300
"""A signature is good for so long, either way (contract)."""

SecretLike: TypeAlias = str | Secret
Body: TypeAlias = bytes | bytearray | memoryview

_MAX_HEADER: Final = 1_024
"""Characters; a header with one signature takes about 80."""
_MAX_SIGNATURES: Final = 5
"""A sender that changes its secret signs with two of them."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,15}")  # int() takes more: "+1", "1_0", other digits
_HEADER_TEXT: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def sign(secret: SecretLike, body: Body, *, timestamp: float | None = None) -> str:
    """The value of ``X-VOS-Signature`` for this raw *body*, signed at *timestamp*.

    *timestamp* is in Unix seconds, of which whole ones count; None is now. Raises InputError for
    an empty secret, a body that is not bytes, or a time that no signature can hold.
    """
    # rebound: what is raised shows no secret among this frame's locals
    secret = Secret(secret) if _key(secret) else Secret("")
    if not secret:
        raise InputError("the secret has to be a string that is not empty")
    content = as_bytes(body)
    try:
        moment = str(int(time.time() if timestamp is None else timestamp))
    except (TypeError, ValueError, OverflowError):
        moment = ""
    if not _TIMESTAMP.fullmatch(moment):
        raise InputError("the timestamp has to be Unix seconds, of 15 digits at most")
    return f"t={moment},v1={digest(secret.reveal().encode(), moment, content)}"


def verify_signature(
    secret: SecretLike | Sequence[SecretLike],
    header: str | None,
    body: Body,
    max_skew_seconds: float = MAX_SKEW_SECONDS,
    *,
    now: float | None = None,
) -> bool:
    """Whether *header* is ``X-VOS-Signature`` of this raw *body*, made with *secret* just now.

    Of several secrets any may match: while a secret is replaced, give the new one and the old.
    *now* is in Unix seconds; None asks the system. It never raises: what is malformed, stale or of
    a wrong type is False.
    """
    return signed_at(secret, header, body, max_skew_seconds, now=now) is not None


def signed_at(
    secret: SecretLike | Sequence[SecretLike],
    header: str | None,
    body: Body,
    max_skew_seconds: float = MAX_SKEW_SECONDS,
    *,
    now: float | None = None,
) -> int | None:
    """When a request was signed, in Unix seconds; None where ``verify_signature`` says False."""
    parts = _parts(header)
    if parts is None or not isinstance(body, bytes | bytearray | memoryview):
        return None
    moment, signatures = parts
    try:
        skew = abs(int(time.time() if now is None else now) - int(moment))
        fresh = skew <= max_skew_seconds
        content = bytes(body)
    except (TypeError, ValueError, OverflowError):  # no number, NaN, infinite; a released view
        return None
    if not fresh:
        return None
    for key in _keys(secret):
        expected = digest(key, moment, content).encode("ascii")
        # as bytes: of strings beyond ASCII compare_digest raises
        if any(hmac.compare_digest(expected, each) for each in signatures):
            return int(moment)
    return None


def delivery(
    secret: SecretLike,
    event_type: str,
    payload: Any,
    *,
    delivery_id: str | None = None,
    timestamp: float | None = None,
) -> tuple[dict[str, str], bytes]:
    """Headers and raw body of a request as the platform sends it: for tests of your endpoint.

    ``headers, body = delivery(secret, "tasks.created", {"action": "Call Ann"})``. Without a
    *delivery_id* each call makes a new one; *timestamp* is as in ``sign``. Raises InputError for a
    payload that is not JSON, and for names that no header can hold.
    """
    secret = Secret(secret) if isinstance(secret, str) else secret  # rebound, as in sign
    if delivery_id is None:
        delivery_id = f"dlv_{secrets.token_hex(12)}"
    for what, value in (("event type", event_type), ("delivery id", delivery_id)):
        if not isinstance(value, str) or not _HEADER_TEXT.fullmatch(value):
            raise InputError(f"the {what} has to be printable ASCII, as headers are")
    try:
        body = _wire.dumps(payload)
    except (TypeError, ValueError) as exc:
        raise InputError(f"the payload is not JSON: {exc}") from None
    headers = {
        "Content-Type": "application/json",
        DELIVERY_ID_HEADER: delivery_id,
        EVENT_TYPE_HEADER: event_type,
        SIGNATURE_HEADER: sign(secret, body, timestamp=timestamp),
    }
    return headers, body


def as_bytes(body: Any) -> bytes:
    """The raw body; raises InputError for anything that is not bytes."""
    if isinstance(body, bytes | bytearray | memoryview):
        try:
            return bytes(body)
        except ValueError:  # a view that was released
            pass
    kind = type(body).__name__
    raise InputError(
        f"the body has to be the raw bytes of the request, before any parsing: got {kind}"
    )


def usable(secret: Any) -> tuple[Secret, ...]:
    """The secrets that *secret* is, one or a sequence; none where any can't be signed with."""
    several = [secret] if isinstance(secret, str | Secret) else secret
    if not isinstance(several, Sequence) or any(_key(each) is None for each in several):
        return ()
    return tuple(map(Secret, several))


def _parts(header: Any) -> tuple[str, list[bytes]] | None:
    """The time and the signatures that *header* holds; None when it is not one."""
    if not isinstance(header, str) or len(header) > _MAX_HEADER or not header.isascii():
        return None
    moments: list[str] = []
    signatures: list[bytes] = []
    for item in header.split(","):
        name, equals, value = item.partition("=")
        if equals and name.strip() == "t":
            moments.append(value.strip())
        elif equals and name.strip() == "v1":
            signatures.append(value.strip().encode("ascii"))
    if len(moments) != 1 or not _TIMESTAMP.fullmatch(moments[0]):
        return None
    return (moments[0], signatures) if len(signatures) <= _MAX_SIGNATURES else None


def _keys(secret: Any) -> Iterator[bytes]:
    several = isinstance(secret, Sequence) and not isinstance(secret, str)
    for each in secret if several else [secret]:
        key = _key(each)
        if key is not None:
            yield key


def _key(secret: Any) -> bytes | None:
    """The key that a secret is; None for what can't be one: anybody can sign with an empty key."""
    if not isinstance(secret, str | Secret):
        return None
    try:
        return Secret(secret).reveal().encode() or None
    except (AttributeError, UnicodeEncodeError):  # a Secret of no string; a lone surrogate
        return None


def digest(key: bytes, moment: str, body: bytes) -> str:
    """HMAC-SHA256 of ``"{moment}."`` and the body, in lower-case hex: Vendo signs so as well."""
    return hmac.new(key, moment.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()
