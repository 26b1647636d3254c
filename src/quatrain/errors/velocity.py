"""Velocity OS's errors, under the names of its contract. Source: contracts, Velocity OS.

Most have the name of the shared kind that they are: ``quatrain.velocity.NotFoundError`` is a
``quatrain.NotFoundError`` of this platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from . import _base
from ._family import Family

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigError",
    "ConflictError",
    "InputError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "ScopeMissingError",
    "ServerError",
    "TransportError",
    "ValidationFailedError",
    "VelocityOSError",
    "WebhookPayloadError",
    "WebhookSignatureError",
]


class VelocityOSError(_base.QuatrainError):
    """Base of every error of Velocity OS."""


class ConfigError(VelocityOSError, _base.ConfigError):
    """A setting is missing or unusable: the key, the webhook secret, the base URL."""


class InputError(VelocityOSError, _base.InputError):
    """An argument was refused before any request: an empty action, source, name or code."""


class TransportError(VelocityOSError, _base.TransportError):
    """The platform gave no answer."""


class APIError(VelocityOSError, _base.APIError):
    """The platform answered with an error, or with something that is not its contract's answer."""


class AuthenticationError(APIError, _base.AuthenticationError):
    """401: the key is missing, unknown or revoked."""


class PermissionDeniedError(APIError, _base.PermissionDeniedError):
    """403: the key is known and may not do this."""


class ScopeMissingError(PermissionDeniedError):
    """The install was not granted *scope*: known before the request, or answered with 403.

    ``code`` is "scope_required" either way, and ``status_code`` 403, unless the answer had another;
    ``body`` is None when no request was made.
    """

    def __init__(
        self,
        scope: str,
        status_code: int = 403,
        body: Any = None,
        request_id: str | None = None,
        **fields: Any,
    ) -> None:
        self.scope = scope
        fields["message"] = f"Extension is missing required scope: {scope}"
        fields.setdefault("code", SCOPE_REQUIRED)
        super().__init__(status_code, body, request_id, **fields)

    @classmethod
    def of_answer(cls, status_code: int, body: Any, request_id: str | None, **fields: Any) -> Self:
        """From the server's words: ``…: write:tasks``."""
        words = fields.get("message") or ""
        scope = words.partition(": ")[2].strip()
        return cls(scope or "unknown", status_code, body, request_id, **fields)


class NotFoundError(APIError, _base.NotFoundError):
    """404: there is no such thing, or the module is not completed."""


class ConflictError(APIError, _base.ConflictError):
    """409: a write with the same idempotency key is under way."""


class ValidationFailedError(APIError, _base.ValidationFailedError):
    """422: the platform refused a value, or knows the idempotency key with another body."""


class RateLimitError(APIError, _base.RateLimitError):
    """429, after the retries."""


class ServerError(APIError, _base.ServerError):
    """5xx, after the retries."""


class WebhookSignatureError(VelocityOSError, _base.WebhookError):
    """The signature is missing, malformed, stale, or of another secret or body."""


class WebhookPayloadError(VelocityOSError, _base.WebhookError):
    """The signature is right, and the body is no JSON; or it is too large to be looked at."""


SCOPE_REQUIRED: Final = "scope_required"

_CODES: Mapping[str, Any] = {SCOPE_REQUIRED: ScopeMissingError.of_answer}

FAMILY = Family(
    config=ConfigError,
    input=InputError,
    transport=TransportError,
    api=APIError,
    server=ServerError,
    kinds={
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        409: ConflictError,
        422: ValidationFailedError,
        429: RateLimitError,
    },
    codes=_CODES,
    in_progress="idempotency_in_progress",
)
"""The transport's way from an answer to one of these."""
