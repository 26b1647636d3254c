"""Governed invocations: a payload is judged, the model is asked if it may be, and all is kept.

What the model says is asked for first; then one transaction writes the invocation, its evidence,
what waits for a person, the audit entry, and the answer under the idempotency key. A process that
dies before has left nothing. Processes that get the same request under one idempotency key at the
same time may each ask the model; one answer is kept, and given to all.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import attrs

from quatrain.evidence.chain import canonical
from quatrain.server import jsontext
from quatrain.server.idempotency import Once, once
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.randomness import token
from quatrain.server.store import Connection, Store, queries

from . import abps, audit, evidence
from .policy import Verdict, judged
from .records import (
    Abp,
    AbpNotDeployedError,
    Invocation,
    Listed,
    NotThereError,
)
from .runner import ModelFailedError, Request, Runner, run

_SQL: Final = queries.load("velerian_abps")

RUNS: Final = frozenset({"allow", "withhold"})
"""The outcomes for which the model is asked."""


@attrs.frozen
class Said:
    """What the model said, or why it said nothing."""

    output: str | None = None
    error: str | None = None


async def ask(runner: Runner, abp_id: str, text: str) -> Said:
    """Have the model answer a payload, given as canonical JSON: its ``prompt``, or all of it."""
    # one of its own: what a runner does to it must not come into the evidence
    payload: dict[str, Any] = json.loads(text)
    prompt = payload.get("prompt")
    if not isinstance(prompt, str):
        prompt = text
    request = Request(kind="abp", name=abp_id, prompt=prompt, payload=payload)
    try:
        return Said(output=await run(runner, request))
    except ModelFailedError as exc:
        return Said(error=str(exc))


class Invocations:
    """Invokes and lists."""

    def __init__(self, store: Store, runner: Runner) -> None:
        self._store = store
        self._runner = runner

    async def invoke(
        self,
        tenant: str,
        abp_id: str,
        payload: dict[str, Any],
        *,
        by: str,
        claim: Once | None = None,
    ) -> Invocation:
        """Judge a payload, and have the model answer it if it may be answered.

        Raises NotThereError, AbpNotDeployedError, and KeyReusedError.
        """
        params: dict[str, Any] = {"tenant": tenant, "abp_id": abp_id, "claim": claim}
        found = await self._store.read(_prepare, params)
        if isinstance(found, RefusedError):
            raise found
        if isinstance(found, str):
            return Invocation(**json.loads(found))
        verdict = await asyncio.to_thread(judged, json.loads(found.policy), payload)
        text, said = canonical(payload), Said()
        if verdict.outcome in RUNS:
            said = await ask(self._runner, abp_id, text)
        params |= {"by": by, "payload": text, "verdict": verdict, "said": said}
        answer = accepted(await self._store.write(_invoke, params))
        return Invocation(**json.loads(answer))

    async def get(self, tenant: str, abp_id: str, invocation_id: str) -> Invocation:
        """One invocation of an ABP; raises NotThereError."""
        params = {"tenant": tenant, "abp_id": abp_id, "invocation_id": invocation_id}
        return accepted(await self._store.read(_get, params))

    async def page(
        self, tenant: str, abp_id: str, *, limit: int, offset: int
    ) -> Listed[Invocation]:
        """Some of an ABP's, oldest first; raises NotThereError."""
        params = {"tenant": tenant, "abp_id": abp_id, "limit": limit, "offset": offset}
        return accepted(await self._store.read(_page, params))


# -- operations of the store ----------------------------------------------------------------------


class _NotYetError(RefusedError):
    code = "not_yet"


def _prepare(connection: Connection, now: int, params: dict[str, Any]) -> Abp | str | RefusedError:
    """The ABP to invoke, or what was answered to the same request before."""
    kept = once(connection, now, params["claim"], _NotYetError)
    return _deployed(connection, now, params) if isinstance(kept, _NotYetError) else kept


def _deployed(connection: Connection, now: int, params: dict[str, Any]) -> Abp | RefusedError:
    whose = {"tenant": params["tenant"], "abp_id": params["abp_id"]}
    found = abps.find(connection, now, whose)
    if isinstance(found, Abp) and found.state != "deployed":
        return AbpNotDeployedError(
            f"the ABP {found.abp_id!r} is {found.state}: only a deployed one can be invoked"
        )
    return found


def _invoke(connection: Connection, now: int, params: dict[str, Any]) -> str | RefusedError:
    def perform() -> str | RefusedError:
        found = _deployed(connection, now, params)  # it may have been retired since
        if isinstance(found, RefusedError):
            return found
        return jsontext.dump(attrs.asdict(_add(connection, now, params)))

    return once(connection, now, params["claim"], perform)


def _add(connection: Connection, now: int, params: dict[str, Any]) -> Invocation:
    tenant: str = params["tenant"]
    verdict: Verdict = params["verdict"]
    said: Said = params["said"]
    held = verdict.outcome == "require_human"
    new = Invocation(
        invocation_id=f"inv_{token()}",
        abp_id=params["abp_id"],
        user_id=params["by"],
        payload=params["payload"],
        outcome=verdict.outcome,
        judged=verdict.outcome,
        reasons=list(verdict.reasons),
        conditions=list(verdict.conditions),
        constraint_count=verdict.constraint_count,
        approval_id=f"apr_{token()}" if held else None,
        output=said.output,
        model_error=said.error,
        pack_id="",
        chain_hash="",
        created_at=now,
        finished_at=None if held else now,
    )
    kept = evidence.add(connection, now, tenant, new, "invocation")
    row = attrs.asdict(kept) | {"tenant": tenant, "verdict": _verdict_text(kept)}
    connection.execute(_SQL["add_invocation"], row)
    if held:
        waiting = {**row, "reason": "; ".join(verdict.reasons), "now": now}
        connection.execute(_SQL["add_approval"], waiting)
    audit.append(
        connection,
        now,
        tenant,
        actor=params["by"],
        action="abp.invoke",
        resource_kind="abp",
        resource_id=kept.abp_id,
        detail={
            "invocation_id": kept.invocation_id,
            "outcome": kept.outcome,
            "approval_id": kept.approval_id,
            "evidence_pack_id": kept.pack_id,
        },
    )
    return kept


def find(connection: Connection, _now: int, params: dict[str, Any]) -> Invocation | RefusedError:
    """One invocation. *params*: tenant, invocation_id."""
    row = connection.execute(_SQL["invocation"], params).fetchone()
    if row is None:
        return NotThereError(f"there is no invocation {params['invocation_id'][:100]!r}")
    return _invocation(row)


def _get(connection: Connection, now: int, params: dict[str, Any]) -> Invocation | RefusedError:
    found = find(connection, now, params)
    if isinstance(found, Invocation) and found.abp_id != params["abp_id"]:
        return NotThereError(
            f"there is no invocation {params['invocation_id'][:100]!r} of this ABP"
        )
    return found


def _page(
    connection: Connection, now: int, params: dict[str, Any]
) -> Listed[Invocation] | RefusedError:
    abp = abps.find(connection, now, params)
    if isinstance(abp, RefusedError):
        return abp
    (total,) = connection.execute(_SQL["count_invocations"], params).fetchone()
    rows = connection.execute(_SQL["invocations"], params)
    return Listed([_invocation(row) for row in rows], total)


def _verdict_text(invocation: Invocation) -> str:
    return jsontext.dump(
        {
            "judged": invocation.judged,
            "reasons": invocation.reasons,
            "conditions": invocation.conditions,
            "constraint_count": invocation.constraint_count,
            "approval_id": invocation.approval_id,
        }
    )


def _invocation(row: tuple[Any, ...]) -> Invocation:
    invocation_id, abp_id, user_id, payload, outcome, verdict, *rest = row
    output, model_error, pack_id, chain_hash, created_at, finished_at = rest
    return Invocation(
        invocation_id=invocation_id,
        abp_id=abp_id,
        user_id=user_id,
        payload=payload,
        outcome=outcome,
        **json.loads(verdict),
        output=output,
        model_error=model_error,
        pack_id=pack_id,
        chain_hash=chain_hash,
        created_at=created_at,
        finished_at=finished_at,
    )
