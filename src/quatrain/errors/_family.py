"""From an answer to an exception: one platform's errors, by what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    RateLimitError,
    ServerError,
    TransportError,
    ValidationFailedError,
)

SNIPPET: Final = 500
"""Characters kept of an error body that is not JSON."""


def describe(body: Any) -> dict[str, Any]:
    """Code, message and detail from the shapes that servers and gateways answer in."""
    if not isinstance(body, Mapping):
        text = " ".join(body.split())[:SNIPPET] if isinstance(body, str) else ""
        return {"message": text or None}
    inner = body.get("error")
    source = inner if isinstance(inner, Mapping) else body
    message = source.get("message") or (inner if isinstance(inner, str) else None)
    code = source.get("code")
    detail = next((source[k] for k in ("detail", "details", "errors") if k in source), None)
    if message is None and isinstance(detail, str):
        message = detail
    return {
        "message": message if isinstance(message, str) else None,
        "code": code if isinstance(code, str) else None,
        "detail": detail,
    }


@attrs.frozen
class Family:
    """One platform's classes for the shared kinds."""

    config: type[ConfigError]
    input: type[InputError]
    transport: type[TransportError]
    api: type[APIError]
    server: type[APIError]
    kinds: Mapping[int, type[APIError]]
    """By HTTP status; any other 5xx is a ``server``, anything else an ``api`` error."""
    codes: Mapping[str, Callable[..., APIError]] = attrs.field(factory=dict)
    """By the answer's code, before the status is looked at; called like an ``APIError``."""
    in_progress: str | None = None
    """The code that says: an earlier attempt with this idempotency key is under way, ask again."""
    conflicts_may_pass: bool = False
    """Where there are no codes: a 409 with a ``Retry-After`` says the same."""
    code_header: bytes | None = None
    """The header, in lower case, whose code goes before the body's."""
    keeps_answers: bool = True
    """Whether the error of a success that can't be read has it as its body. False where what is
    read are credentials."""
    describe: Callable[[Any], dict[str, Any]] = describe
    """What an error's body says, as keywords of these classes."""

    def error(
        self,
        status: int,
        body: Any,
        request_id: str | None,
        *,
        code: str | None = None,
        **fields: Any,
    ) -> APIError:
        """The exception for an error answer whose *body* is its JSON, or its text.

        *code* is the header's, *fields* are those of an ``APIError``; what they leave open is read
        from the body.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        described = {**self.describe(body), **given}
        if code:
            described["code"] = code
        make = (
            self.codes.get(described.get("code") or "")
            or self.kinds.get(status)
            or (self.server if 500 <= status < 600 else self.api)
        )
        return make(status, body, request_id or _request_id(body), **described)

    def says_in_progress(self, body: Any) -> bool:
        """Whether an error answer's *body* has that code."""
        return self.in_progress is not None and self.describe(body).get("code") == self.in_progress

    def unexpected(
        self, status: int, body: Any, request_id: str | None, reason: str, **fields: Any
    ) -> APIError:
        """The exception for an answer that is a success and still not what it should be."""
        request_id = request_id or _request_id(body)
        kept = body if self.keeps_answers else None
        return self.api(status, kept, request_id, message=f"unexpected answer: {reason}", **fields)


def _request_id(body: Any) -> str | None:
    value = body.get("requestId") if isinstance(body, Mapping) else None
    return value if isinstance(value, str) else None


SHARED: Final = Family(
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
)
"""The shared kinds themselves, for what is no vendor's platform."""
