"""Vendo's errors. Source: contracts, Vendo, "Errors"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import attrs

from ._base import (
    APIError,
    AuthenticationError,
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    QuatrainError,
    RateLimitError,
    ServerError,
    TransportError,
    ValidationFailedError,
)
from ._family import Family, describe

__all__ = [
    "AuthError",
    "BalanceExhausted",
    "IdempotencyConflict",
    "IdentityNotPresent",
    "NeedsReauth",
    "NotConnected",
    "RateLimited",
    "SpendCapExceeded",
    "UpstreamError",
    "ValidationError",
    "VendoAPIError",
    "VendoConfigError",
    "VendoConflictError",
    "VendoError",
    "VendoNotFoundError",
    "VendoOnlyFeature",
    "VendoPermissionError",
    "VendoServerError",
    "VendoStreamError",
    "VendoTransportError",
]

INTERNAL: Final = "internal_error"
"""The code of an error that has none."""


class VendoError(QuatrainError):
    """Base of every error of Vendo.

    Whatever it is, it has a ``code`` and a ``message``, and where they are known a ``status`` (the
    answer's HTTP status), the integration's ``slug``, a ``connect_url`` on which a person can mend
    it, ``retry_after`` in seconds, and a ``suggested_fix`` in words.
    """

    code: str | None = INTERNAL
    status: int | None = None
    slug: str | None = None
    connect_url: str | None = None
    retry_after: float | None = None
    suggested_fix: str | None = None

    message: str = ""
    """What happened, in words."""

    def __init__(self, message: str = "", *args: Any, **fields: Any) -> None:
        super().__init__(message, *args, **fields)
        self.message = message


class VendoConfigError(VendoError, ConfigError):
    """A setting is missing or unusable."""


class VendoTransportError(VendoError, TransportError):
    """The platform gave no answer."""


class VendoStreamError(VendoError):
    """The stream of events can't go on, and a reconnect would not help.

    ``code`` says why: ``event_too_large``, or ``event_id_unusable``. ``last_event_id`` is the id of
    the last event before that, and ``event_id`` the one of the event itself, where it came.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = INTERNAL,
        last_event_id: str | None = None,
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.last_event_id = last_event_id
        self.event_id = event_id


class VendoOnlyFeature(VendoError):
    """It needs the platform, and there is no API key; raised before any request."""

    code = "vendo_only_feature"


class IdentityNotPresent(VendoError):
    """The request came without a user: it has no ``X-Vendo-User-JWT``."""

    code = "identity_not_present"


class VendoAPIError(VendoError, APIError):
    """The platform answered with an error, or with something that is not its contract's answer.

    Some of its kinds are raised without a request as well, where their cause is known before: then
    ``status``, and ``status_code``, is None.
    """

    def __init__(
        self,
        status_code: int | None = None,
        body: Any = None,
        request_id: str | None = None,
        *,
        message: str | None = None,
        code: str | None = None,
        slug: str | None = None,
        connect_url: str | None = None,
        suggested_fix: str | None = None,
        **fields: Any,
    ) -> None:
        self.status = status_code
        self.slug = slug
        self.connect_url = connect_url
        self.suggested_fix = suggested_fix
        APIError.__init__(  # past VendoError, which only has words
            self,
            status_code,  # type: ignore[arg-type]  # None: raised without a request
            body,
            request_id,
            message=message,
            code=code or INTERNAL,
            **fields,
        )

    def _describe(self) -> str:
        words = self.message if self.status_code is None else super()._describe()
        return f"{words} ({self.suggested_fix})" if self.suggested_fix else words


class AuthError(VendoAPIError, AuthenticationError):
    """The app's key is missing, unknown, revoked or expired."""


class NotConnected(VendoAPIError):
    """There is no connection to use for ``slug``, or it was revoked."""


class NeedsReauth(VendoAPIError):
    """The connection to ``slug`` is there, and a person has to grant it again."""


class BalanceExhausted(VendoAPIError):
    """There are no credits left."""


class SpendCapExceeded(VendoAPIError):
    """What may be spent in a day, or in a month, is spent; ``code`` says which."""


class RateLimited(VendoAPIError, RateLimitError):
    """Too many requests, to the platform or to a provider behind it."""


class UpstreamError(VendoAPIError, ServerError):
    """A provider behind the platform failed."""


class ValidationError(VendoAPIError, ValidationFailedError, InputError):
    """A value was refused by the platform, or, with ``status`` None, before any request.

    A webhook request that is not what it claims to be is one as well.
    """

    def __init__(self, status_code: int | str | None = None, *args: Any, **fields: Any) -> None:
        if isinstance(status_code, str):  # like every InputError: in words alone
            fields["message"], status_code = status_code, None
        if status_code is None:
            fields.setdefault("code", "validation_failed")
        super().__init__(status_code, *args, **fields)


class IdempotencyConflict(VendoAPIError, ConflictError):
    """The idempotency key came with another request before."""


class VendoPermissionError(VendoAPIError, PermissionDeniedError):
    """403 without a code: the key is known and may not do this."""


class VendoNotFoundError(VendoAPIError, NotFoundError):
    """404 without a code: there is no such thing."""


class VendoConflictError(VendoAPIError, ConflictError):
    """409 without a code: the state of things forbids it."""


class VendoServerError(VendoAPIError, ServerError):
    """5xx without a code, after the retries."""


def _described(body: Any) -> dict[str, Any]:
    """What an error answer's *body* says, in any of the shapes that are seen."""
    found = describe(body)
    inner = body.get("error") if isinstance(body, Mapping) else None
    source = inner if isinstance(inner, Mapping) else body
    if isinstance(source, Mapping):
        for name in ("slug", "connect_url", "suggested_fix"):
            value = source.get(name)
            found[name] = value if isinstance(value, str) else None
        found["retry_after"] = _seconds(source.get("retry_after"))
    return found


def _described_by_proxy(body: Any) -> dict[str, Any]:
    """The same of the data proxy's: a text is the error itself, and one text is a code."""
    found = _described(body)
    error = body.get("error") if isinstance(body, Mapping) else None
    if error == "binding_missing":
        toolkit = body.get("toolkit")
        found["code"] = error
        found["slug"] = toolkit if isinstance(toolkit, str) else None
        found["message"] = f"there is no connection to {found['slug'] or 'it'}"
    elif isinstance(error, str):
        found["code"] = "composio_error"
    return found


def _seconds(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < math.inf else None


FAMILY: Final = Family(
    config=VendoConfigError,
    input=ValidationError,
    transport=VendoTransportError,
    api=VendoAPIError,
    server=VendoServerError,
    kinds={
        401: AuthError,
        403: VendoPermissionError,
        404: VendoNotFoundError,
        409: VendoConflictError,
        422: ValidationError,
        429: RateLimited,
    },
    codes={
        "app_unknown": AuthError,
        "app_revoked": AuthError,
        "app_expired": AuthError,
        "binding_missing": NotConnected,
        "connection_revoked": NotConnected,
        "connection_needs_reauth": NeedsReauth,
        "balance_exhausted": BalanceExhausted,
        "spend_cap_daily": SpendCapExceeded,
        "spend_cap_monthly": SpendCapExceeded,
        "upstream_rate_limited": RateLimited,
        "upstream_error": UpstreamError,
        "composio_error": UpstreamError,
        "validation_failed": ValidationError,
        "idempotency_conflict": IdempotencyConflict,
    },
    code_header=b"vendo-error-code",
    keeps_answers=False,
    describe=_described,
)
"""The transport's way from an answer of the platform, or its credentials host, to one of these."""

PROXY_FAMILY: Final = attrs.evolve(FAMILY, describe=_described_by_proxy)
"""The same of the data proxy's answers."""
