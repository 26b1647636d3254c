"""What Velerian answers. Source: contracts, Velerian."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from quatrain.server.answers import Fault, Time

from .exports import Artifact, Delivery, Format
from .records import AbpState, ApprovalState


class Key(TypedDict):
    """A key without its secret."""

    id: str
    name: str
    user_id: str
    hint: str
    scopes: list[str]
    rate_per_minute: int | None
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None
    revoked_at: Time | None


class NewKey(Key):
    """A key with its secret, which is told this once."""

    key: str


class Abp(TypedDict):
    """An ABP with its policy."""

    abp_id: str
    name: str
    state: AbpState
    policy: Any
    created_at: Time
    updated_at: Time


class Output(TypedDict):
    """What the model said."""

    text: str


class InvokeResult(TypedDict):
    """What came of an invocation."""

    invocation_id: str
    outcome: str
    is_allowed: bool
    requires_human: bool
    withheld: bool
    constraint_count: int
    aggregated_conditions: list[str]
    output: Output | None
    approval_id: str | None
    evidence_pack_id: str
    evidence_pack_s3_key: str
    evidence_pack_chain_hash: str
    model_error: str | None


class Invocation(InvokeResult):
    """The same with from whom and when it was."""

    abp_id: str
    user_id: str
    judged: str
    reasons: list[str]
    created_at: Time
    finished_at: Time | None


class Approval(TypedDict):
    """What waits, or waited, for a person."""

    approval_id: str
    invocation_id: str
    abp_id: str
    state: ApprovalState
    reason: str
    decided_by: str | None
    decision: str | None
    created_at: Time
    decided_at: Time | None


class Network(TypedDict):
    """A network with its policy."""

    slug: str
    name: str
    model_id: str
    policy: dict[str, Any]
    created_at: Time


class Queued(TypedDict):
    """A run that has been taken on."""

    run_id: str
    run_url: str
    status: Literal["queued"]
    slug: str


class Run(TypedDict):
    """A run of a network, as far as it has come."""

    run_id: str
    slug: str
    status: str
    prompt_text: str
    metadata: dict[str, Any] | None
    model_id: str
    output_text: str | None
    governance_pass: bool | None
    governance_reasons: list[str]
    evidence_pack_id: str | None
    evidence_download_url: None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    error: str | None


class EvidenceExport(TypedDict):
    """Where an export can be downloaded, and until when."""

    export_id: str
    artifact_kind: Artifact
    format: Format
    s3_key: str
    download_url: str
    expires_at: Time
    delivery: Delivery


class Entry(TypedDict):
    """A line of the audit log."""

    id: str
    created_at: Time
    actor_user_id: str
    action: str
    resource_kind: str
    resource_id: str
    detail: dict[str, Any]
    sequence: int
    chain_hash: str


class GovernedRuns(TypedDict):
    """Invocations and runs, counted by how they ended."""

    total: int
    invocations: dict[str, int]
    network_runs: dict[str, int]
    model_errors: int
    waiting_for_approval: int


class Chain(TypedDict):
    """The chain of evidence, as far as it goes."""

    total: int
    chain_head: str | None
    last_created_at: Time | None


class Pack(TypedDict):
    """A pack of evidence, without its body."""

    pack_id: str
    sequence: int
    abp_id: str
    subject_id: str
    body_hash: str
    chain_hash: str
    s3_key: str
    created_at: Time


class Adoption(TypedDict):
    """What the tenant has set up."""

    abps: dict[str, int]
    networks: int
    active_api_keys: int
    users: int


class UsageSummary(TypedDict):
    """What a tenant has used."""

    tenant_id: str
    as_of: Time
    governed_runs: GovernedRuns
    evidence_packs: Chain | list[Pack]
    """Packs, where a part of their list is asked for."""
    adoption: Adoption


class Problem(TypedDict):
    """Why a request was refused: in words, or each mistake in its content."""

    detail: str | list[Fault]
