"""The ledger's records in the wire's words: camelCase, ISO times, opaque ids and cursors."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from quatrain.server.ledger import Cached, Effect, Event, Granted, Settled, Status
from quatrain.server.problems import Fault, validation_failed
from quatrain.server.times import iso_time

_MAX_ROW: Final = 2**63 - 1


def effect_id(row: int) -> str:
    """``eff_00000000002a``."""
    return f"eff_{row:012x}"


def granted(answer: Granted, effect_key: str, lease_token: str) -> dict[str, Any]:
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


def cached(answer: Cached, effect_key: str) -> dict[str, Any]:
    """The answer to a lease of an effect that is settled."""
    completed = answer.status is Status.COMMITTED
    return {
        "status": "cached_completed" if completed else "cached_failed",
        "effectId": effect_id(answer.effect_id),
        "effectKey": effect_key,
        "fenceToken": answer.fence_token,
        "leaseToken": None,
        "cachedResult" if completed else "cachedError": json.loads(answer.payload),
    }


def settled(answer: Settled, first: tuple[str, str], repeated: tuple[str, str]) -> dict[str, Any]:
    """The answer to a commit or a fail; *first* and *repeated* are (status, message)."""
    status, message = repeated if answer.repeated else first
    return {
        "status": status,
        "effectId": effect_id(answer.effect_id),
        "fenceToken": answer.fence_token,
        "message": message,
    }


def effect(found: Effect, *, payloads: bool) -> dict[str, Any]:
    """One effect of the query API."""
    until = found.lease_expires_at
    facts = {
        "effectId": effect_id(found.id),
        "namespace": found.namespace,
        "effectKey": found.effect_key,
        "effectName": found.effect_name,
        "status": found.status,
        "fenceToken": found.fence_token,
        "attempts": found.fence_token,
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


def event(line: Event) -> dict[str, Any]:
    """One line of an audit trail."""
    return {
        "seq": line.seq,
        "type": line.type,
        "at": iso_time(line.at),
        "fenceToken": line.fence_token,
        "agentId": line.agent_id,
        "runId": line.run_id,
        "detail": _payload(line.detail),
    }


def _payload(text: str | None) -> Any:
    return None if text is None else json.loads(text)


# -- cursors --------------------------------------------------------------------------------------


def cursor(row: int | None) -> str | None:
    """Where the next page begins, for clients to hand back and not to read."""
    return None if row is None else base64.urlsafe_b64encode(b"%d" % row).decode().rstrip("=")


def row_of(given: str | None) -> int | None:
    """What ``cursor`` made; raises ProblemError 422 for anything else."""
    if given is None:
        return None
    try:
        digits = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        digits = b""
    row = int(digits) if digits.isdigit() and len(digits) < 20 else -1
    if not 0 <= row <= _MAX_ROW:
        raise validation_failed([Fault(("query", "cursor"), "is not one of ours", "value")])
    return row
