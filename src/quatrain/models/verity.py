"""The effect ledger's requests and answers. Source: contracts, Verity, "Endpoints".

Times are ISO-8601 strings on the server's clock; nothing here compares them with this machine's.
Statuses are plain strings: one that this version does not know yet is kept as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from ._fields import raw as _raw

__all__ = [
    "CommitRequestBody",
    "CommitResponse",
    "ConflictRetryConfig",
    "Effect",
    "EffectEvent",
    "EffectEventPage",
    "EffectPage",
    "EffectTrail",
    "EffectTrailPage",
    "FailRequestBody",
    "FailResponse",
    "LeaseCachedResponse",
    "LeaseGrantedResponse",
    "LeaseRequestBody",
    "LeaseResponse",
    "ObserveResponse",
    "RenewRequestBody",
    "RenewResponse",
    "ReportObserveBody",
]

Source = Literal["acted", "observed"]


@attrs.frozen
class ConflictRetryConfig:
    """How long to go on asking for a lease that another agent holds (409)."""

    enabled: bool = True
    max_attempts: int = 12
    """Requests in all, the first included."""
    initial_delay_s: float = 0.5
    """Seconds before the second request; doubles with each."""
    max_delay_s: float = 15.0
    """Seconds; no longer wait than this."""
    jitter: bool = True
    """Vary each wait by up to 30 % either way, so that waiting agents spread out."""

    def delay(self, attempt: int, luck: float) -> float | None:
        """Seconds to wait after conflict number *attempt*; None to give up. *luck* in [0, 1)."""
        if not self.enabled or attempt >= self.max_attempts:
            return None
        delay = min(self.max_delay_s, self.initial_delay_s * 2.0 ** min(attempt - 1, 62))
        spread = 0.3 * (2.0 * luck - 1.0) if self.jitter else 0.0
        return max(0.0, delay * (1.0 + spread))


# -- requests ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class LeaseRequestBody:
    """``POST /effects/{namespace}/lease``."""

    effect_key: str
    effect_name: str | None = None
    agent_id: str | None = None
    lease_duration_ms: int | None = None
    """5,000 to 120,000; the ledger's default is 30,000."""
    input_json: Any = None
    workflow_name: str | None = None
    case_id: str | None = None
    run_id: str | None = None


@attrs.frozen(kw_only=True)
class _HolderBody:
    effect_key: str
    fence_token: int
    lease_token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CommitRequestBody(_HolderBody):
    """``POST /effects/{namespace}/commit``. A null result is sent as one."""

    result: Any
    source: Source | None = None
    run_id: str | None = None


@attrs.frozen(kw_only=True)
class FailRequestBody(_HolderBody):
    """``POST /effects/{namespace}/fail``."""

    error: Any
    source: Source | None = None
    run_id: str | None = None


@attrs.frozen(kw_only=True)
class RenewRequestBody(_HolderBody):
    """``POST /effects/{namespace}/renew``."""

    extension_ms: int | None = None


@attrs.frozen(kw_only=True)
class ReportObserveBody(_HolderBody):
    """``POST /effects/{namespace}/report-observe``: audit only."""

    hit: bool
    duration_ms: int | None = None


# -- answers ----------------------------------------------------------------------------------


@attrs.frozen
class LeaseGrantedResponse:
    """The lease is ours: ``status`` is "granted"."""

    status: str
    effect_id: str
    effect_key: str
    fence_token: int
    """Grows by one with every grant; only the newest may commit, fail or renew."""
    lease_token: str = attrs.field(repr=False)
    lease_expires_at: str
    prior_state: str
    """none, expired (an earlier attempt was cut off), or reset."""
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class LeaseCachedResponse:
    """The effect is settled: ``status`` is "cached_completed" or "cached_failed"."""

    status: str
    effect_id: str
    effect_key: str
    fence_token: int
    lease_token: str | None = attrs.field(default=None, repr=False)
    cached_result: Any = None
    cached_error: Any = None
    raw: Mapping[str, Any] = _raw()


LeaseResponse = LeaseGrantedResponse | LeaseCachedResponse


@attrs.frozen
class CommitResponse:
    """``status`` is "accepted" or "already_committed"."""

    status: str
    effect_id: str
    fence_token: int
    message: str
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class FailResponse:
    """``status`` is "recorded" or "already_failed"."""

    status: str
    effect_id: str
    fence_token: int
    message: str
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class RenewResponse:
    """``status`` is "renewed"."""

    status: str
    lease_expires_at: str
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class ObserveResponse:
    """An acknowledgement of report-observe; its content is on ``raw``."""

    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Effect:
    """One effect as the ledger's query API shows it (the local platform's addition)."""

    effect_id: str
    namespace: str
    effect_key: str
    status: str
    """RUNNING, COMMITTED, FAILED, EXPIRED or RESET."""
    fence_token: int
    attempts: int
    """Leases granted so far."""
    created_at: str
    updated_at: str
    effect_name: str | None = None
    agent_id: str | None = None
    """Who holds it, or held it last."""
    workflow_name: str | None = None
    case_id: str | None = None
    run_id: str | None = None
    lease_expires_at: str | None = None
    """Set while RUNNING or EXPIRED."""
    source: str | None = None
    """How it was settled: acted or observed."""
    input_json: Any = None
    """With payloads only, like result and error."""
    result: Any = None
    error: Any = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EffectEvent:
    """One line of an effect's audit trail."""

    seq: int
    """Grows with time over the whole ledger."""
    type: str
    """LEASE_GRANTED, LEASE_RENEWED, LEASE_EXPIRED, OBSERVE_HIT, OBSERVE_MISS, COMMITTED, FAILED,
    RESET, or what an operator did: RESOLVED_DONE, RESOLVED_NOT_DONE, LEASE_RELEASED."""
    at: str
    fence_token: int
    agent_id: str | None = None
    run_id: str | None = None
    detail: Any = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EffectPage:
    """A page of effects, newest first."""

    items: list[Effect]
    next_cursor: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EffectEventPage:
    """A page of an audit trail, oldest first."""

    items: list[EffectEvent]
    next_cursor: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EffectTrail:
    """An effect, as it was when the page was read, and lines of its audit trail, oldest first.

    A long trail comes in several parts, one behind the other; an effect without any line comes
    with none.
    """

    effect_id: str
    namespace: str
    effect_key: str
    status: str
    fence_token: int
    events: list[EffectEvent]
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EffectTrailPage:
    """A page of audit trails, effect by effect."""

    items: list[EffectTrail]
    next_cursor: str | None = None
    raw: Mapping[str, Any] = _raw()
