"""What the ledger answers, and what it refuses. Source: contracts, Verity, "Endpoints", "States".

Times are in milliseconds since 1970; payloads are the JSON texts that were handed in.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from quatrain.server.problems import RefusedError


class Status(StrEnum):
    """The state of an effect. EXPIRED is RUNNING whose lease has run out: time does that."""

    RUNNING = "RUNNING"
    COMMITTED = "COMMITTED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    RESET = "RESET"


class EventType(StrEnum):
    """What an audit trail tells of."""

    LEASE_GRANTED = "LEASE_GRANTED"
    LEASE_RENEWED = "LEASE_RENEWED"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    OBSERVE_HIT = "OBSERVE_HIT"
    OBSERVE_MISS = "OBSERVE_MISS"
    COMMITTED = "COMMITTED"
    FAILED = "FAILED"
    RESET = "RESET"
    RESOLVED_DONE = "RESOLVED_DONE"
    """A person found that an uncertain effect had happened."""
    RESOLVED_NOT_DONE = "RESOLVED_NOT_DONE"
    """A person found that it had not."""
    LEASE_RELEASED = "LEASE_RELEASED"
    """A person took the lease from its holder."""


class PriorState(StrEnum):
    """What a lease was granted over; only after expired may the action have happened already."""

    NONE = "none"
    EXPIRED = "expired"
    RESET = "reset"


@attrs.frozen
class Effect:
    """One effect, as it is now by the server's clock."""

    id: int
    namespace: str
    effect_key: str
    effect_name: str | None
    status: Status
    fence_token: int
    """The newest token. Each grant takes the next, and so does an operator who releases the lease
    or resolves the effect as done, so that its holder is refused."""
    agent_id: str | None
    workflow_name: str | None
    case_id: str | None
    run_id: str | None
    lease_expires_at: int | None
    """Set while RUNNING or EXPIRED."""
    source: str | None
    """How it was settled: acted, observed or, by an operator, resolved; None when nobody said."""
    created_at: int
    updated_at: int
    first_fence: int
    """The token of its first grant: 1, or more where effects of the realm have been pruned."""
    operator_fences: int
    """How many of its tokens operators took, and no grant."""
    input_json: str | None = None
    """None: the agent gave none, or payloads were not asked for. So for result and error."""
    result: str | None = None
    error: str | None = None

    @property
    def attempts(self) -> int:
        """How often it was granted."""
        return self.fence_token - self.first_fence + 1 - self.operator_fences


@attrs.frozen
class Event:
    """One line of an audit trail."""

    seq: int
    type: EventType
    at: int
    fence_token: int
    agent_id: str | None
    run_id: str | None
    detail: str | None
    """A JSON object."""


# -- answers --------------------------------------------------------------------------------------


@attrs.frozen
class Granted:
    """The lease is the caller's."""

    effect_id: int
    fence_token: int
    lease_expires_at: int
    prior_state: PriorState


@attrs.frozen
class Cached:
    """The effect is settled: COMMITTED or FAILED."""

    effect_id: int
    fence_token: int
    status: Status
    payload: str
    """The result, or the error."""


@attrs.frozen
class Settled:
    """A commit or a fail was written, or is a repeat of the one that was."""

    effect_id: int
    fence_token: int
    repeated: bool


@attrs.frozen
class Renewed:
    """The lease holds until then."""

    lease_expires_at: int


@attrs.frozen
class Observed:
    """The report stands in the audit trail."""

    effect_id: int
    fence_token: int


# -- refusals -------------------------------------------------------------------------------------


class EffectNotFoundError(RefusedError):
    """There is no effect of this key in this namespace and realm."""

    code = "effect_not_found"


class LeaseHeldError(RefusedError):
    """Another agent holds the lease, and it has not run out."""

    code = "lease_conflict"

    def __init__(self, agent_id: str | None, fence_token: int, lease_expires_at: int) -> None:
        super().__init__("another agent holds the lease")
        self.agent_id = agent_id
        self.fence_token = fence_token
        self.lease_expires_at = lease_expires_at


class StaleFenceError(RefusedError):
    """The caller is not, or no longer, the one who may write."""

    code = "stale_fence"


class LeaseExpiredError(RefusedError):
    """The lease ran out; it can't be renewed, though its holder may still commit."""

    code = "lease_expired"


class NotResettableError(RefusedError):
    """Only what has failed or expired may be reset."""

    code = "not_resettable"


class NotResolvableError(RefusedError):
    """Only what is uncertain, because its lease ran out without a commit, may be resolved."""

    code = "not_resolvable"


class NotHeldError(RefusedError):
    """Only a lease that is held may be released."""

    code = "lease_not_held"


class EffectChangedError(RefusedError):
    """The effect is not any more what the caller had seen: its fence has moved on."""

    code = "effect_changed"
