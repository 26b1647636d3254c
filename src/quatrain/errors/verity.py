"""The effect ledger's errors. Source: contracts, Verity, "Client" and "must be right"."""

from __future__ import annotations

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
    ResolvableError,
    ServerError,
    TransportError,
    ValidationFailedError,
)
from ._family import Family

__all__ = [
    "CommitRefusedError",
    "CommitUncertainError",
    "EffectPreviouslyFailedError",
    "EffectUncertainError",
    "LeaseConflictError",
    "LeaseLostError",
    "VerityApiError",
    "VerityAuthenticationError",
    "VerityConfigError",
    "VerityConflictError",
    "VerityError",
    "VerityNotFoundError",
    "VerityPermissionDeniedError",
    "VerityRateLimitError",
    "VerityServerError",
    "VerityTransportError",
    "VerityValidationError",
    "VerityValidationFailedError",
]


class VerityError(QuatrainError):
    """Base of every error of the effect ledger."""


class VerityConfigError(VerityError, ConfigError):
    """The client lacks a setting: base URL, key, or a namespace for this call."""


class VerityValidationError(VerityError, InputError):
    """An argument was refused: not JSON, larger than 64 KiB, or nothing that can be called."""


class VerityTransportError(VerityError, TransportError):
    """The ledger gave no answer."""


class VerityApiError(VerityError, APIError):
    """The ledger answered with an error, or with something that is not its contract's answer."""


class VerityAuthenticationError(VerityApiError, AuthenticationError):
    """401 from the ledger."""


class VerityPermissionDeniedError(VerityApiError, PermissionDeniedError):
    """403 from the ledger."""


class VerityNotFoundError(VerityApiError, NotFoundError):
    """404 from the ledger."""


class VerityConflictError(VerityApiError, ConflictError):
    """409 from the ledger: an old fence token, or a state that forbids the call."""


class VerityValidationFailedError(VerityApiError, ValidationFailedError):
    """422 from the ledger; ``detail`` lists what and where."""


class VerityRateLimitError(VerityApiError, RateLimitError):
    """429 from the ledger."""


class VerityServerError(VerityApiError, ServerError):
    """5xx from the ledger, or from a gateway before it."""


class LeaseConflictError(VerityConflictError):
    """Another agent holds the lease: with ``on_conflict="throw"``, or after the last retry."""

    def __init__(
        self, effect_key: str, body: Any = None, request_id: str | None = None, **fields: Any
    ) -> None:
        self.effect_key = effect_key
        fields["message"] = f"effect {effect_key!r} is held by another agent"
        super().__init__(409, body, request_id, **fields)


class EffectPreviouslyFailedError(VerityError):
    """The effect is recorded as failed; ``cached_error`` says how.

    It stays so until somebody resets it (``client.effects.reset``).
    """

    def __init__(self, effect_key: str, cached_error: Any, effect_id: str | None = None) -> None:
        super().__init__(f"effect {effect_key!r} failed before; reset it before it may run again")
        self.effect_key = effect_key
        self.cached_error = cached_error
        self.effect_id = effect_id


class EffectUncertainError(VerityError):
    """An earlier attempt was cut off and may have acted, and there is no ``observe`` to tell.

    Raised instead of acting with ``on_uncertain="raise"``.
    """

    def __init__(self, effect_key: str, fence_token: int, effect_id: str | None = None) -> None:
        super().__init__(
            f"an earlier attempt at effect {effect_key!r} ended without a word and may have acted;"
            " pass observe= to find out, or settle it by hand"
        )
        self.effect_key = effect_key
        self.fence_token = fence_token
        self.effect_id = effect_id


class CommitUncertainError(VerityError, ResolvableError):
    """The action ran and its commit could not be confirmed: never act again by hand.

    ``result`` is what the action returned (or ``observe`` found), ``commit_error`` why the
    commit is in doubt. ``resolve()`` commits once more, identically.
    """

    def __init__(
        self,
        effect_key: str,
        result: Any,
        commit_error: BaseException,
        fence_token: int | None = None,
    ) -> None:
        super().__init__(
            f"the action of effect {effect_key!r} ran, but its commit is not confirmed"
            f" ({commit_error}); do not act again: call resolve(), or reconcile"
        )
        self.effect_key = effect_key
        self.result = result
        self.commit_error = commit_error
        self.fence_token = fence_token

    def resolve(self) -> Any:
        """Commit once more and answer the result; awaitable when the async client raised it.

        Raises CommitUncertainError again while the ledger does not confirm, and RuntimeError
        after pickling: a live client is needed.
        """
        if self._resolver is None:
            msg = "this error has no client to resolve with: it was pickled, or made by hand"
            raise RuntimeError(msg)
        return self._resolver()


class LeaseLostError(VerityError):
    """The lease was taken away or ran out while the action was under way.

    ``has_result`` tells whether the action ended all the same; then ``result`` is what it
    returned. Nothing was recorded: the next attempt finds ``priorState`` expired and observes.
    """

    def __init__(
        self, effect_key: str, reason: str, fence_token: int | None = None, **fields: Any
    ) -> None:
        # named, not super(): in CommitRefusedError another __init__ comes next
        VerityError.__init__(self, f"the lease of effect {effect_key!r} is lost: {reason}")
        self.effect_key = effect_key
        self.reason = reason
        self.fence_token = fence_token
        self.has_result = "result" in fields
        self.result = fields.get("result")


class CommitRefusedError(LeaseLostError, CommitUncertainError):
    """The action ran, and the ledger refused its commit: somebody holds a newer fence token.

    Both a lost lease and an unconfirmed commit: handlers of either see it.
    """

    def __init__(
        self,
        effect_key: str,
        result: Any,
        commit_error: BaseException,
        fence_token: int | None = None,
    ) -> None:
        LeaseLostError.__init__(
            self, effect_key, f"the commit was refused ({commit_error})", fence_token, result=result
        )
        self.commit_error = commit_error


FAMILY = Family(
    config=VerityConfigError,
    input=VerityValidationError,
    transport=VerityTransportError,
    api=VerityApiError,
    server=VerityServerError,
    kinds={
        401: VerityAuthenticationError,
        403: VerityPermissionDeniedError,
        404: VerityNotFoundError,
        409: VerityConflictError,
        422: VerityValidationFailedError,
        429: VerityRateLimitError,
    },
)
"""The transport's way from an answer to one of these."""
