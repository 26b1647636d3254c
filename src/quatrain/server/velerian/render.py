"""Velerian's records in the wire's words: snake_case, ISO times, and pages of lists."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Protocol, TypeVar

from quatrain.server.answers import Page
from quatrain.server.times import iso_time

from . import answers
from .audit import Entry
from .exports import Delivery, Export
from .keys import Key
from .networks import Network
from .packs import s3_key
from .records import Abp, Approval, Invocation
from .runs import Run

T = TypeVar("T")


class Part(Protocol):
    """Which part of a list was asked for."""

    @property
    def limit(self) -> int:
        """Items, at most."""
        ...

    @property
    def offset(self) -> int:
        """Items before it."""
        ...


def listed(items: Iterable[T], part: Part, total: int) -> Page[T]:
    """A page of a list."""
    return {"items": list(items), "limit": part.limit, "offset": part.offset, "total": total}


def key(found: Key) -> answers.Key:
    """A key without its secret."""
    return {
        "id": found.key_id,
        "name": found.name,
        "user_id": found.user_id,
        "hint": found.hint,
        "scopes": sorted(found.scopes),
        "rate_per_minute": found.rate_per_minute,
        "created_at": iso_time(found.created_at),
        "expires_at": _maybe(found.expires_at),
        "last_used_at": _maybe(found.last_used_at),
        "revoked_at": _maybe(found.revoked_at),
    }


def abp(found: Abp) -> answers.Abp:
    """An ABP with its policy."""
    return {
        "abp_id": found.abp_id,
        "name": found.name,
        "state": found.state,
        "policy": json.loads(found.policy),
        "created_at": iso_time(found.created_at),
        "updated_at": iso_time(found.updated_at),
    }


def result(tenant: str, found: Invocation) -> answers.InvokeResult:
    """What came of an invocation, as its caller gets it: nothing that is withheld."""
    withheld = found.outcome == "withhold"
    output: answers.Output | None = None
    if found.output is not None and not withheld:
        output = {"text": found.output}
    return {
        "invocation_id": found.invocation_id,
        "outcome": found.outcome,
        "is_allowed": found.outcome == "allow",
        "requires_human": found.outcome == "require_human",
        "withheld": withheld,
        "constraint_count": found.constraint_count,
        "aggregated_conditions": found.conditions,
        "output": output,
        "approval_id": found.approval_id,
        "evidence_pack_id": found.pack_id,
        "evidence_pack_s3_key": s3_key(tenant, found.pack_id),
        "evidence_pack_chain_hash": found.chain_hash,
        "model_error": found.model_error,
    }


def invocation(tenant: str, found: Invocation) -> answers.Invocation:
    """A row of an ABP's invocations: what came of it, and from whom and when it was."""
    return {
        **result(tenant, found),
        "abp_id": found.abp_id,
        "user_id": found.user_id,
        "judged": found.judged,
        "reasons": found.reasons,
        "created_at": iso_time(found.created_at),
        "finished_at": _maybe(found.finished_at),
    }


def approval(found: Approval) -> answers.Approval:
    """What waits, or waited, for a person."""
    return {
        "approval_id": found.approval_id,
        "invocation_id": found.invocation_id,
        "abp_id": found.abp_id,
        "state": found.state,
        "reason": found.reason,
        "decided_by": found.decided_by,
        "decision": found.decision,
        "created_at": iso_time(found.created_at),
        "decided_at": _maybe(found.decided_at),
    }


def network(found: Network) -> answers.Network:
    """A network with its policy."""
    return {
        "slug": found.slug,
        "name": found.name,
        "model_id": found.model_id,
        "policy": found.policy,
        "created_at": iso_time(found.created_at),
    }


def run(found: Run) -> answers.Run:
    """A run of a network, as far as it has come."""
    return {
        "run_id": found.run_id,
        "slug": found.network,
        "status": found.status.value,
        "prompt_text": found.prompt_text,
        "metadata": found.metadata,
        "model_id": found.model_id,
        "output_text": found.output_text,
        "governance_pass": found.governance_pass,
        "governance_reasons": found.governance_reasons,
        "evidence_pack_id": found.pack_id,
        "evidence_download_url": None,
        "created_at": iso_time(found.created_at),
        "started_at": _maybe(found.started_at),
        "finished_at": _maybe(found.finished_at),
        "error": found.error,
    }


def export(found: Export, delivery: Delivery, url: str) -> answers.EvidenceExport:
    """Where an export can be downloaded, and until when."""
    return {
        "export_id": found.export_id,
        "artifact_kind": found.artifact_kind,
        "format": found.format,
        "s3_key": f"exports/{found.tenant}/{found.export_id}.{found.format}",
        "download_url": url,
        "expires_at": iso_time(found.expires_at),
        "delivery": delivery,
    }


def entry(found: Entry) -> answers.Entry:
    """A line of the audit log."""
    return {
        "id": f"aud_{found.id}",
        "created_at": iso_time(found.at),
        "actor_user_id": found.actor_user_id,
        "action": found.action,
        "resource_kind": found.resource_kind,
        "resource_id": found.resource_id,
        "detail": found.detail,
        "sequence": found.sequence,
        "chain_hash": found.chain_hash,
    }


def _maybe(ms: int | None) -> str | None:
    return None if ms is None else iso_time(ms)
