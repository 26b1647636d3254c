"""A request that is refused: status, code and one clear sentence. Each platform dresses it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import attrs

from quatrain.errors import QuatrainError

T = TypeVar("T")


@attrs.frozen
class Fault:
    """One thing wrong with a request's content: where, what, and what kind of mistake it is."""

    loc: tuple[str | int, ...]
    """``("body", "fenceToken")``: the part of the request, then the way through it."""
    msg: str
    type: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.loc))}: {self.msg}"

    def as_json(self) -> dict[str, Any]:
        """``{"loc", "msg", "type"}``."""
        return {"loc": list(self.loc), "msg": self.msg, "type": self.type}


class ProblemError(QuatrainError):
    """The answer to a request that can't be done. The caller's mistake below 500."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        errors: Sequence[Fault] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI sends them."""
        return [(name.encode(), value.encode()) for name, value in self.headers.items()]


class RefusedError(QuatrainError):
    """The state of things forbids what was asked. ``code`` is the wire's name for why.

    It knows no status: how a refusal is answered is for the platform's API to say.
    """

    code: ClassVar[str]


def accepted(answer: T | RefusedError) -> T:
    """The answer, unless it is a refusal, which is raised."""
    if isinstance(answer, RefusedError):
        raise answer
    return answer


def validation_failed(errors: Sequence[Fault]) -> ProblemError:
    """422, listing every mistake; the message tells the first."""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ProblemError(422, "validation_failed", f"{errors[0]}{more}", errors=errors)


def too_large(limit: int) -> ProblemError:
    """413: the whole body, before anything is made of it."""
    return ProblemError(
        413, "payload_too_large", f"the request's body is larger than {limit:,} bytes"
    )


def internal_error() -> ProblemError:
    """500: what nobody expected, told to the platform's log only."""
    text = "the platform failed; its log says why under this request id"
    return ProblemError(500, "internal_error", text)


def method_not_allowed(allowed: str) -> ProblemError:
    """405: the path is right and the method is not."""
    return ProblemError(
        405, "method_not_allowed", f"this path takes {allowed}", headers={"allow": allowed}
    )


def not_found() -> ProblemError:
    """404: no such path."""
    text = (
        "there is nothing at this path; the effect ledger is at /v1, Velocity OS at"
        " /api/v1/extensions, Velerian at /api/v2, Vendo at /api/deployments, what manages them at"
        " /manage/v1"
    )
    return ProblemError(404, "not_found", text)
