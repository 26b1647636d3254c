"""The kinds of error that all platforms share."""

from __future__ import annotations

import pickle
from typing import Any, Self

import attrs


@attrs.frozen
class Attempt:
    """One try at a request: what came of it, and how long was waited before the next."""

    number: int
    """Counted from 1."""
    status_code: int | None = None
    """The answer's HTTP status; None when there was no answer."""
    error: str | None = None
    """The transport's words when there was no answer."""
    waited: float | None = None
    """Seconds waited after it; None when it was the last."""


class QuatrainError(Exception):
    """Base of everything this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all fields; a field that can't be pickled travels as its repr."""
        fields = {name: _portable(value) for name, value in self.__dict__.items()}
        return _rebuild, (type(self), tuple(map(_portable, self.args)), fields)

    def __copy__(self) -> Self:
        """Copy with all fields as they are: nothing has to travel."""
        twin = type(self).__new__(type(self))
        twin.args = self.args
        twin.__dict__.update(self.__dict__)
        return twin


def _rebuild(
    cls: type[QuatrainError], args: tuple[Any, ...], fields: dict[str, Any]
) -> QuatrainError:
    """Make the exception again without ``__init__``, which would ask for its keywords."""
    exc = cls.__new__(cls)
    exc.args = args
    exc.__dict__.update(fields)
    return exc


def _portable(value: Any) -> Any:
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - its own; some fail only on the way back
    except Exception:  # noqa: BLE001 - a user's value may fail to pickle in any way
        return repr(value)
    return value


class ConfigError(QuatrainError):
    """A setting is missing or unusable; the message names it."""


class InputError(QuatrainError, ValueError):
    """An argument was refused before any request was made."""


class TransportError(QuatrainError):
    """There was no answer: connect, timeout, protocol.

    ``sent`` is False when the request surely never reached the server, by none of its ``attempts``,
    which lists every try. The transport's own exception is the ``__cause__``.

    ``idempotency_key`` is what the request was sent under, its own or one that was made up: to
    write again under it is safe where the platform knows such keys.
    """

    idempotency_key: str | None = None

    def __init__(
        self, message: str, *, sent: bool = True, attempts: tuple[Attempt, ...] = ()
    ) -> None:
        super().__init__(message)
        self.sent = sent
        self.attempts = attempts


class APIError(QuatrainError):
    """The server's answer is an error, or is not what its contract says.

    ``body`` is the parsed JSON, or the first part of the text where it is none; ``code``,
    ``message`` and ``detail`` are read from it; ``retry_after`` is in seconds. ``idempotency_key``
    is what the request was sent under, if it was.
    """

    idempotency_key: str | None = None

    def __init__(
        self,
        status_code: int,
        body: Any = None,
        request_id: str | None = None,
        *,
        message: str | None = None,
        code: str | None = None,
        detail: Any = None,
        retry_after: float | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        self.status_code = status_code
        self.body = body
        self.request_id = request_id
        self.message = message or f"HTTP {status_code}"
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.attempts = attempts
        super().__init__(self._describe())

    def _describe(self) -> str:
        parts = [str(self.status_code), *([self.code] if self.code else [])]
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{' '.join(parts)}: {self.message}{request}"


class AuthenticationError(APIError):
    """401: the key is missing, unknown or revoked."""


class PermissionDeniedError(APIError):
    """403: the key is known and may not do this."""


class NotFoundError(APIError):
    """404: there is no such thing, or this key can't see it."""


class ConflictError(APIError):
    """409: it is in a state that forbids this."""


class ValidationFailedError(APIError):
    """422: the server refused the request's content; ``detail`` says what and where."""


class RateLimitError(APIError):
    """429: too many requests; ``retry_after`` says how long to wait, in seconds."""


class ServerError(APIError):
    """5xx: the server, or something in front of it, failed."""


class WebhookError(QuatrainError):
    """A webhook request is not what it claims to be: its signature, its timestamp, its payload."""


class ResolvableError(QuatrainError):
    """Mixin: an error that carries the way to settle it."""

    _resolver: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the resolver: it holds a live client."""
        rebuild, (cls, args, fields) = super().__reduce__()
        return rebuild, (cls, args, {**fields, "_resolver": None})

    def with_resolver(self, resolver: Any) -> Self:
        self._resolver = resolver
        return self
