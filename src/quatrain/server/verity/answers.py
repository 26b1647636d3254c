"""What the ledger answers. Source: contracts, Verity, "Endpoints"."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypeAlias, TypedDict, TypeVar

from quatrain.server.answers import Fault, Time
from quatrain.server.ledger import EventType, PriorState, Status

T = TypeVar("T")


class Granted(TypedDict):
    """The lease is the caller's."""

    status: Literal["granted"]
    effectId: str
    effectKey: str
    fenceToken: int
    leaseToken: str
    leaseExpiresAt: Time
    priorState: PriorState


class CachedResult(TypedDict):
    """The effect was committed before."""

    status: Literal["cached_completed"]
    effectId: str
    effectKey: str
    fenceToken: int
    leaseToken: None
    cachedResult: Any


class CachedError(TypedDict):
    """The effect failed before."""

    status: Literal["cached_failed"]
    effectId: str
    effectKey: str
    fenceToken: int
    leaseToken: None
    cachedError: Any


Leased: TypeAlias = Granted | CachedResult | CachedError


class Settled(TypedDict):
    """A commit, or a fail, and whether it is the first."""

    status: Literal["accepted", "already_committed", "recorded", "already_failed"]
    effectId: str
    fenceToken: int
    message: str


class Renewed(TypedDict):
    """The lease holds until then."""

    status: Literal["renewed"]
    leaseExpiresAt: Time


class Observed(TypedDict):
    """The report stands in the audit trail."""

    status: Literal["recorded"]
    effectId: str
    fenceToken: int


class Effect(TypedDict):
    """One effect; its payloads where they were asked for."""

    effectId: str
    namespace: str
    effectKey: str
    effectName: str | None
    status: Status
    fenceToken: int
    attempts: int
    agentId: str | None
    workflowName: str | None
    caseId: str | None
    runId: str | None
    leaseExpiresAt: Time | None
    source: str | None
    createdAt: Time
    updatedAt: Time
    inputJson: NotRequired[Any]
    result: NotRequired[Any]
    error: NotRequired[Any]


class Event(TypedDict):
    """One line of an audit trail."""

    seq: int
    type: EventType
    at: Time
    fenceToken: int
    agentId: str | None
    runId: str | None
    detail: Any


class Trail(TypedDict):
    """An effect and lines of its audit trail."""

    effectId: str
    namespace: str
    effectKey: str
    status: Status
    fenceToken: int
    events: list[Event]


class Scroll(TypedDict, Generic[T]):
    """A part of a list, and where the next begins."""

    items: list[T]
    nextCursor: str | None


class Holder(TypedDict):
    """Who has the lease that was asked for."""

    agentId: str | None
    fenceToken: int
    leaseExpiresAt: Time


class Problem(TypedDict):
    """Why a request was refused."""

    code: str
    message: str
    requestId: str
    errors: NotRequired[list[Fault]]
    holder: NotRequired[Holder]
