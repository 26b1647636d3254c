"""What Velerian's endpoints take. Source: contracts, Velerian.

An optional field that is null counts as absent; fields that are not listed are ignored.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.server.shapes import (
    INT64,
    IS_TIME,
    JsonObject,
    between,
    length,
    told,
    unless_none,
)
from quatrain.server.times import ms_of
from quatrain.server.velocity.values import NOT_BLANK

from . import keys
from .audit import Filter
from .exports import Format
from .records import ApprovalState

MAX_LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 50
MAX_PROMPT: Final = 200_000
MAX_ATTACHMENTS: Final = 100
_MAX_WORD: Final = 500
_NO_NUL: Final = r"[^\x00]*"
_SAYING: Final = "^" + _NO_NUL + NOT_BLANK.replace("[^", r"[^\x00", 1) + _NO_NUL + "$"
"""A prompt: neither blank, nor with a NUL character in it."""


def _limit() -> Any:
    return attrs.field(default=DEFAULT_LIMIT, validator=between(1, MAX_LIMIT))


def _offset() -> Any:
    return attrs.field(default=0, validator=between(0, 2**60))


def _word() -> Any:
    return attrs.field(default=None, validator=unless_none(length(1, _MAX_WORD)))


def _time() -> Any:
    return attrs.field(default=None, validator=unless_none(IS_TIME))


def _prompt(owner: Any, field: Any, value: str) -> None:
    length(1, MAX_PROMPT)(owner, field, value)
    if not value.strip():
        raise ValueError("must not be blank")
    if "\0" in value:
        raise ValueError("must not hold a NUL character")


def _few(_: Any, __: Any, value: list[str]) -> None:
    if len(value) > MAX_ATTACHMENTS:
        raise ValueError(f"names more than {MAX_ATTACHMENTS} attachments")
    if any(not 1 <= len(name) <= _MAX_WORD for name in value):
        raise ValueError(f"an attachment's id has 1 to {_MAX_WORD} characters")


@attrs.frozen(kw_only=True)
class PageQuery:
    """Which part of a list."""

    limit: int = _limit()
    offset: int = _offset()


@attrs.frozen(kw_only=True)
class ApprovalsQuery:
    """``GET /approvals``."""

    state: ApprovalState | None = None
    limit: int = _limit()
    offset: int = _offset()


@attrs.frozen(kw_only=True)
class AuditQuery:
    """``GET /audit-log``. The times are ISO-8601, and both included."""

    action: str | None = _word()
    resource_kind: str | None = _word()
    resource_id: str | None = _word()
    actor_user_id: str | None = _word()
    since: str | None = _time()
    until: str | None = _time()
    limit: int = _limit()
    offset: int = _offset()

    @property
    def filter(self) -> Filter:
        """Which entries."""
        return Filter(
            action=self.action,
            resource_kind=self.resource_kind,
            resource_id=self.resource_id,
            actor_user_id=self.actor_user_id,
            since=None if self.since is None else ms_of(self.since, up=True),
            until=None if self.until is None else ms_of(self.until),
        )


@attrs.frozen(kw_only=True)
class EvidenceQuery:
    """``GET /abps/{abp_id}/invocations/{invocation_id}/evidence``."""

    format: Format = "json"


@attrs.frozen(kw_only=True)
class PackageQuery:
    """``GET /abps/{abp_id}/evidence-package``: of packs from this time on, ISO-8601."""

    since: str = attrs.field(validator=IS_TIME)
    format: Format = "json"


@attrs.frozen(kw_only=True)
class LinkQuery:
    """``GET /exports/{export_id}/download``: what a presigned link says. In seconds since 1970."""

    expires: int = attrs.field(validator=INT64)
    signature: str


@attrs.frozen(kw_only=True)
class UsageQuery:
    """``GET /usage/summary``: with one of these, ``evidence_packs`` is a list of packs."""

    evidence_limit: int | None = attrs.field(
        default=None, validator=unless_none(between(1, MAX_LIMIT))
    )
    evidence_offset: int | None = attrs.field(
        default=None, validator=unless_none(between(0, 2**60))
    )

    @property
    def lists_packs(self) -> bool:
        """Whether packs are asked for."""
        return self.evidence_limit is not None or self.evidence_offset is not None


@attrs.frozen(kw_only=True)
class InvokeBody:
    """``POST /abps/{abp_id}/invoke``."""

    payload: JsonObject


@attrs.frozen(kw_only=True)
class KeyBody:
    """``POST /api-keys``."""

    name: str
    scopes: list[str]
    user_id: str | None = None
    """The caller's own by default."""
    rate_per_minute: int | None = attrs.field(
        default=None, validator=unless_none(between(1, keys.MAX_RATE))
    )
    expires_at: str | None = _time()


@attrs.frozen(kw_only=True)
class RunBody:
    """``POST /networks/{slug}/invoke``."""

    prompt_text: str = attrs.field(
        validator=told(_prompt, minLength=1, maxLength=MAX_PROMPT, pattern=_SAYING)
    )
    metadata: JsonObject | None = None
    attachment_ids: list[str] | None = attrs.field(
        default=None,
        validator=unless_none(
            told(
                _few,
                maxItems=MAX_ATTACHMENTS,
                items={"type": "string", "minLength": 1, "maxLength": _MAX_WORD},
            )
        ),
    )
