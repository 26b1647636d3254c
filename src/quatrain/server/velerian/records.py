"""What Velerian's local half keeps, and what it refuses. Source: contracts, Velerian.

Times are in milliseconds since 1970; policies and payloads are JSON texts.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

import attrs

from quatrain.server.problems import RefusedError

T = TypeVar("T")

AbpState: TypeAlias = Literal["draft", "deployed", "retired"]
ApprovalState: TypeAlias = Literal["pending", "approved", "rejected"]


@attrs.frozen
class Abp:
    """A governed process; only a deployed one can be invoked, and a retired one stays so."""

    abp_id: str
    name: str
    state: AbpState
    policy: str
    created_at: int
    updated_at: int


@attrs.frozen(kw_only=True)
class Invocation:
    """A payload that was judged, and what came of it."""

    invocation_id: str
    abp_id: str
    user_id: str
    payload: str
    outcome: str
    """The verdict's; once a person has decided, ``allow`` or ``deny``."""
    judged: str
    """The verdict's outcome, for good."""
    reasons: list[str]
    conditions: list[str]
    constraint_count: int
    approval_id: str | None
    output: str | None
    """What the model said; withheld or not."""
    model_error: str | None
    pack_id: str
    """Of the newest evidence."""
    chain_hash: str
    created_at: int
    finished_at: int | None
    """None while it is held."""


@attrs.frozen
class Approval:
    """A held invocation that waits, or waited, for a person."""

    approval_id: str
    invocation_id: str
    abp_id: str
    state: ApprovalState
    reason: str
    """Why it is held."""
    decided_by: str | None
    decision: str | None
    """The person's reason."""
    created_at: int
    decided_at: int | None


@attrs.frozen
class Listed(Generic[T]):
    """Part of a list, oldest first, and how many there are in all."""

    items: list[T]
    total: int


# -- refusals -------------------------------------------------------------------------------------


class VelerianRefusedError(RefusedError):
    """Any refusal of Velerian's local half; ``status`` is how it is answered."""

    status = 409


class NotThereError(VelerianRefusedError):
    """The tenant has no such thing."""

    code = "not_found"
    status = 404


class AbpNotDeployedError(VelerianRefusedError):
    """Only a deployed ABP can be invoked."""

    code = "not_deployed"


class AbpRetiredError(VelerianRefusedError):
    """What is retired is not deployed again."""

    code = "retired"


class ExistsError(VelerianRefusedError):
    """The tenant has one of that name already."""

    code = "exists"


class DecidedError(VelerianRefusedError):
    """An approval is decided once."""

    code = "decided"
