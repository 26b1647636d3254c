"""Velerian's errors. Source: contracts, Velerian, "Paths and errors"."""

from __future__ import annotations

import json
from typing import Any

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
from ._family import Family

__all__ = [
    "EvidenceError",
    "RunTimeoutError",
    "VelerianAPIError",
    "VelerianAuthError",
    "VelerianConfigError",
    "VelerianConflictError",
    "VelerianError",
    "VelerianForbiddenError",
    "VelerianInputError",
    "VelerianNotFoundError",
    "VelerianRateLimitError",
    "VelerianRunTimeoutError",
    "VelerianServerError",
    "VelerianTransportError",
    "VelerianValidationError",
]


class VelerianError(QuatrainError):
    """Base of every error of Velerian."""


class VelerianConfigError(VelerianError, ConfigError):
    """A setting is missing or unusable: the key, the base URL."""


class VelerianInputError(VelerianError, InputError):
    """An argument was refused before any request."""


class VelerianTransportError(VelerianError, TransportError):
    """The platform gave no answer."""


class VelerianAPIError(VelerianError, APIError):
    """The platform answered with an error, or with something that is not its contract's answer.

    ``detail`` is text, whatever the answer had there; ``body`` has it as it came.
    """

    def __init__(
        self,
        status_code: int,
        body: Any = None,
        request_id: str | None = None,
        *,
        detail: Any = None,
        **fields: Any,
    ) -> None:
        if detail is not None and not isinstance(detail, str):
            try:
                detail = json.dumps(detail, ensure_ascii=False)
            except RecursionError:  # it was read where the stack was less deep
                detail = "nested too deeply"
        fields["message"] = fields.get("message") or detail
        super().__init__(status_code, body, request_id, detail=detail, **fields)


class VelerianAuthError(VelerianAPIError, AuthenticationError):
    """401: the key is missing, unknown, expired or revoked."""


class VelerianForbiddenError(VelerianAPIError, PermissionDeniedError):
    """403: the key lacks a scope."""


class VelerianNotFoundError(VelerianAPIError, NotFoundError):
    """404: there is no such thing, or this key can't see it."""


class VelerianConflictError(VelerianAPIError, ConflictError):
    """409: the state of things forbids it; an ABP that is not deployed can't be invoked."""


class VelerianValidationError(VelerianAPIError, ValidationFailedError):
    """422: the platform refused a value; ``body["detail"]`` lists where."""


class VelerianRateLimitError(VelerianAPIError, RateLimitError):
    """429, after the retries; ``retry_after`` is in seconds."""


class VelerianServerError(VelerianAPIError, ServerError):
    """5xx, after the retries."""


class VelerianRunTimeoutError(VelerianError):
    """A run was not over within the time that was waited for it.

    It is not cancelled, and may still succeed: ``await_run(run_id)`` goes on waiting. ``status`` is
    the last that was seen, ``waited_s`` is in seconds.
    """

    def __init__(self, run_id: str, status: str | None = None, waited_s: float = 0.0) -> None:
        super().__init__(
            f"run {run_id} was {status or 'of unknown status'} after {waited_s:.0f} s;"
            " it goes on, and can be waited for again"
        )
        self.run_id = run_id
        self.status = status
        self.waited_s = waited_s


RunTimeoutError = VelerianRunTimeoutError
"""Its name in the contract."""


class EvidenceError(VelerianError):
    """Evidence does not verify: the chain is broken, or the file is no evidence.

    ``position`` is the broken link's place in the file, from 0; None where the whole is wrong.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        where = "" if position is None else f" at link {position}"
        super().__init__(f"the evidence does not verify{where}: {reason}")
        self.reason = reason
        self.position = position


FAMILY = Family(
    config=VelerianConfigError,
    input=VelerianInputError,
    transport=VelerianTransportError,
    api=VelerianAPIError,
    server=VelerianServerError,
    kinds={
        401: VelerianAuthError,
        403: VelerianForbiddenError,
        404: VelerianNotFoundError,
        409: VelerianConflictError,
        422: VelerianValidationError,
        429: VelerianRateLimitError,
    },
    conflicts_may_pass=True,
)
"""The transport's way from an answer to one of these."""
