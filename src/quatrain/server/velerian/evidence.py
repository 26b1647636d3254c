"""What an evidence pack says of an invocation, and of a person's decision."""

from __future__ import annotations

import json
from typing import Any, Literal

import attrs

from quatrain.evidence.chain import hash_of
from quatrain.server.store import Connection

from . import packs
from .records import Approval, Invocation


def add(
    connection: Connection,
    now: int,
    tenant: str,
    invocation: Invocation,
    kind: Literal["invocation", "approval"],
    approval: Approval | None = None,
) -> Invocation:
    """Add a pack about it, within the caller's transaction: the invocation as it then is."""
    pack = packs.append(
        connection,
        now,
        tenant,
        abp_id=invocation.abp_id,
        subject_id=invocation.invocation_id,
        kind=kind,
        body=_body(invocation, approval),
    )
    return attrs.evolve(invocation, pack_id=pack.pack_id, chain_hash=pack.chain_hash)


def _body(invocation: Invocation, approval: Approval | None) -> dict[str, Any]:
    output = invocation.output
    body = {
        "abp_id": invocation.abp_id,
        "user_id": invocation.user_id,
        "payload": json.loads(invocation.payload),
        "outcome": invocation.outcome,
        "judged": invocation.judged,
        "reasons": invocation.reasons,
        "aggregated_conditions": invocation.conditions,
        "constraint_count": invocation.constraint_count,
        "approval_id": invocation.approval_id,
        "model_error": invocation.model_error,
        # of what is withheld, the evidence proves what it was and does not tell it
        "output": None if output is None or invocation.outcome == "withhold" else {"text": output},
        "output_sha256": None if output is None else hash_of(output),
    }
    if approval is not None:
        body["decision"] = {
            "state": approval.state,
            "decided_by": approval.decided_by,
            "reason": approval.decision,
        }
    return body
