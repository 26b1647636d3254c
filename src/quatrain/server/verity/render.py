"""The ledger's records in the wire's words: camelCase, ISO times, opaque ids and cursors."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias, cast

from quatrain.server.ledger import (
    Cached,
    Effect,
    EffectTrail,
    Event,
    EventType,
    Granted,
    Line,
    Settled,
    Status,
)
from quatrain.server.times import iso_time

from . import answers

Word: TypeAlias = Literal["accepted", "already_committed", "recorded", "already_failed"]


def effect_id(row: int) -> str:
    """``eff_00000000002a``."""
    return f"eff_{row:012x}"


def granted(answer: Granted, effect_key: str, lease_token: str) -> answers.Granted:
    """The answer to a lease that the caller now holds."""
    return {
        "status": "granted",
        "effectId": effect_id(answer.effect_id),
        "effectKey": effect_key,
        "fenceToken": answer.fence_token,
        "leaseToken": lease_token,
        "leaseExpiresAt": iso_time(answer.lease_expires_at),
        "priorState": answer.prior_state,
    }


def cached(answer: Cached, effect_key: str) -> answers.CachedResult | answers.CachedError:
    """The answer to a lease of an effect that is settled."""
    if answer.status is Status.COMMITTED:
        return {
            "status": "cached_completed",
            "effectId": effect_id(answer.effect_id),
            "effectKey": effect_key,
            "fenceToken": answer.fence_token,
            "leaseToken": None,
            "cachedResult": json.loads(answer.payload),
        }
    return {
        "status": "cached_failed",
        "effectId": effect_id(answer.effect_id),
        "effectKey": effect_key,
        "fenceToken": answer.fence_token,
        "leaseToken": None,
        "cachedError": json.loads(answer.payload),
    }


def settled(
    answer: Settled, first: tuple[Word, str], repeated: tuple[Word, str]
) -> answers.Settled:
    """The answer to a commit or a fail; *first* and *repeated* are (status, message)."""
    status, message = repeated if answer.repeated else first
    return {
        "status": status,
        "effectId": effect_id(answer.effect_id),
        "fenceToken": answer.fence_token,
        "message": message,
    }


def effect(found: Effect, *, payloads: bool) -> answers.Effect:
    """One effect of the query API."""
    until = found.lease_expires_at
    facts: answers.Effect = {
        "effectId": effect_id(found.id),
        "namespace": found.namespace,
        "effectKey": found.effect_key,
        "effectName": found.effect_name,
        "status": found.status,
        "fenceToken": found.fence_token,
        "attempts": found.attempts,
        "agentId": found.agent_id,
        "workflowName": found.workflow_name,
        "caseId": found.case_id,
        "runId": found.run_id,
        "leaseExpiresAt": None if until is None else iso_time(until),
        "source": found.source,
        "createdAt": iso_time(found.created_at),
        "updatedAt": iso_time(found.updated_at),
    }
    if payloads:
        facts["inputJson"] = _payload(found.input_json)
        facts["result"] = _payload(found.result)
        facts["error"] = _payload(found.error)
    return facts


def event(line: Event | Line) -> answers.Event:
    """One line of an audit trail."""
    return {
        "seq": line.seq,
        "type": cast("EventType", line.type),  # one to come is told as it is
        "at": iso_time(line.at),
        "fenceToken": line.fence_token,
        "agentId": line.agent_id,
        "runId": line.run_id,
        "detail": _payload(line.detail),
    }


def trail(found: EffectTrail) -> answers.Trail:
    """An effect and lines of its audit trail."""
    return {
        "effectId": effect_id(found.effect_id),
        "namespace": found.namespace,
        "effectKey": found.effect_key,
        "status": Status(found.status),
        "fenceToken": found.fence_token,
        "events": [event(line) for line in found.lines],
    }


def _payload(text: str | None) -> Any:
    return None if text is None else json.loads(text)
