"""What the ledger's endpoints take. Source: contracts, Verity, "Endpoints".

Fields in Python's names, camelCase on the wire. An optional field that is null counts as absent;
fields that are not listed are ignored, so that a newer client works.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from quatrain.server.ledger import DEFAULT_LEASE_MS, MAX_LEASE_MS, MIN_LEASE_MS, Status
from quatrain.server.shapes import INT64, JsonText, between, length, unless_none

MAX_NAMESPACE: Final = 1_024
MAX_KEY: Final = 16_384
MAX_NAME: Final = 4_096
MAX_REASON: Final = 2_000

_NULL: Final = JsonText("null")
_DURATION: Final = between(MIN_LEASE_MS, MAX_LEASE_MS)


def _key() -> Any:
    return attrs.field(validator=length(1, MAX_KEY))


def _name() -> Any:
    return attrs.field(default=None, validator=unless_none(length(0, MAX_NAME)))


def _fence() -> Any:
    # 0 and below are no token anybody was given: the ledger's state refuses them, not their form
    return attrs.field(validator=INT64)


def _duration() -> Any:
    return attrs.field(default=None, validator=unless_none(_DURATION))


@attrs.frozen(kw_only=True)
class LeaseBody:
    """``POST /effects/{namespace}/lease``."""

    effect_key: str = _key()
    effect_name: str | None = _name()
    agent_id: str | None = _name()
    lease_duration_ms: int | None = _duration()
    input_json: JsonText | None = None
    workflow_name: str | None = _name()
    case_id: str | None = _name()
    run_id: str | None = _name()

    @property
    def duration_ms(self) -> int:
        """The lease's length; the default when the client left it to us."""
        return DEFAULT_LEASE_MS if self.lease_duration_ms is None else self.lease_duration_ms


@attrs.frozen(kw_only=True)
class HolderBody:
    """What every request of a lease's holder says."""

    effect_key: str = _key()
    fence_token: int = _fence()
    lease_token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CommitBody(HolderBody):
    """``POST /effects/{namespace}/commit``. The official SDK leaves a null result out."""

    result: JsonText = _NULL
    source: Literal["acted", "observed"] | None = None
    run_id: str | None = _name()


@attrs.frozen(kw_only=True)
class FailBody(HolderBody):
    """``POST /effects/{namespace}/fail``."""

    error: JsonText
    source: Literal["acted"] | None = None
    run_id: str | None = _name()


@attrs.frozen(kw_only=True)
class RenewBody(HolderBody):
    """``POST /effects/{namespace}/renew``. Without an extension: the lease's own duration."""

    extension_ms: int | None = _duration()


@attrs.frozen(kw_only=True)
class ReportObserveBody(HolderBody):
    """``POST /effects/{namespace}/report-observe``."""

    hit: bool
    duration_ms: int | None = attrs.field(
        default=None, validator=unless_none(between(0, 2**63 - 1))
    )


@attrs.frozen(kw_only=True)
class ResetBody:
    """``POST /effects/{namespace}/reset``. The reason stands in the audit trail."""

    effect_key: str = _key()
    reason: str = attrs.field(validator=length(1, MAX_REASON))


@attrs.frozen(kw_only=True)
class ListQuery:
    """``GET /effects``."""

    namespace: str | None = None
    status: Literal["RUNNING", "COMMITTED", "FAILED", "EXPIRED", "RESET"] | None = None
    workflow: str | None = None
    case: str | None = None
    key: str | None = None
    limit: int = attrs.field(default=50, validator=between(1, 200))
    cursor: str | None = None
    payloads: bool = False

    @property
    def wanted_status(self) -> Status | None:
        """The status as the ledger names it."""
        return None if self.status is None else Status(self.status)


@attrs.frozen(kw_only=True)
class TrailQuery:
    """``GET /trail``."""

    namespace: str | None = None
    limit: int = attrs.field(default=1_000, validator=between(1, 1_000))
    """Lines, and effects that have none."""
    cursor: str | None = None


@attrs.frozen(kw_only=True)
class EffectQuery:
    """``GET /effects/{namespace}/effect``."""

    effect_key: str = _key()


@attrs.frozen(kw_only=True)
class EventsQuery:
    """``GET /effects/{namespace}/events``."""

    effect_key: str = _key()
    limit: int = attrs.field(default=50, validator=between(1, 200))
    cursor: str | None = None
