"""What waits for a person: held invocations, which then go on or are denied."""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.names import checked
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.store import Connection, Store, queries

from . import audit, evidence, invocations
from .invocations import Said, ask
from .records import (
    Approval,
    ApprovalState,
    DecidedError,
    Invocation,
    Listed,
    NotThereError,
)
from .runner import Runner

MAX_REASON: Final = 2_000

_SQL: Final = queries.load("velerian_abps")


class Approvals:
    """Lists and decides.

    A decision is made once. With an approval the model is asked first; then one transaction writes
    the decision, the invocation's end, its second evidence pack and the audit entry. When several
    processes decide at once, each may ask the model; one answer counts, and the others are refused.
    """

    def __init__(self, store: Store, runner: Runner) -> None:
        self._store = store
        self._runner = runner
        self._being_decided: set[tuple[str, str]] = set()

    async def page(
        self, tenant: str, *, limit: int, offset: int, state: ApprovalState | None = None
    ) -> Listed[Approval]:
        """Some of the tenant's, of one state or all, oldest first."""
        params = {"tenant": tenant, "state": state, "limit": limit, "offset": offset}
        return await self._store.read(_page, params)

    async def get(self, tenant: str, approval_id: str) -> Approval:
        """One of them; raises NotThereError."""
        params = {"tenant": tenant, "approval_id": approval_id}
        return accepted(await self._store.read(find, params))

    async def approve(
        self, tenant: str, approval_id: str, *, by: str = "local", reason: str | None = None
    ) -> Approval:
        """Let the held invocation go on to its end, for which the model is asked.

        Raises NotThereError, DecidedError, and InputError.
        """
        return await self._decide(tenant, approval_id, "approved", by, reason)

    async def reject(
        self, tenant: str, approval_id: str, *, by: str = "local", reason: str | None = None
    ) -> Approval:
        """Deny the held invocation. Raises NotThereError, DecidedError, and InputError."""
        return await self._decide(tenant, approval_id, "rejected", by, reason)

    async def _decide(
        self, tenant: str, approval_id: str, state: ApprovalState, by: str, reason: str | None
    ) -> Approval:
        params = {
            "tenant": tenant,
            "approval_id": approval_id,
            "state": state,
            "by": checked(by, "a user's id"),
            "reason": _reason(reason),
            "said": Said(),
        }
        held = accepted(await self._store.read(_held, params))
        deciding = tenant, approval_id
        if deciding in self._being_decided:  # or the model would be asked twice
            raise DecidedError(f"the approval {approval_id!r} is being decided")
        self._being_decided.add(deciding)
        try:
            if state == "approved":
                params["said"] = await ask(self._runner, held.abp_id, held.payload)
            return accepted(await self._store.write(_settle, params))
        finally:
            self._being_decided.discard(deciding)


def _reason(reason: str | None) -> str | None:
    if reason is None:
        return None
    if not reason.strip() or len(reason) > MAX_REASON or "\0" in reason:
        raise InputError(f"a reason is 1 to {MAX_REASON:,} characters")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise InputError("a reason holds half of a surrogate pair") from None
    return reason


# -- operations of the store ----------------------------------------------------------------------


def find(connection: Connection, _now: int, params: dict[str, Any]) -> Approval | RefusedError:
    """One approval. *params*: tenant, approval_id."""
    row = connection.execute(_SQL["approval"], params).fetchone()
    if row is None:
        return NotThereError(f"there is no approval {params['approval_id'][:100]!r}")
    return Approval(*row)


def _page(connection: Connection, _now: int, params: dict[str, Any]) -> Listed[Approval]:
    filters = "" if params["state"] is None else " AND state = :state"
    count = _SQL["count_approvals"].format(filters=filters)
    (total,) = connection.execute(count, params).fetchone()
    rows = connection.execute(_SQL["approvals"].format(filters=filters), params)
    return Listed([Approval(*row) for row in rows], total)


def _held(connection: Connection, now: int, params: dict[str, Any]) -> Invocation | RefusedError:
    """The invocation that a decision is about; refused when there is nothing to decide."""
    approval = find(connection, now, params)
    if isinstance(approval, RefusedError):
        return approval
    if approval.state != "pending":
        return DecidedError(f"the approval {approval.approval_id!r} is {approval.state} already")
    whose = {"tenant": params["tenant"], "invocation_id": approval.invocation_id}
    return invocations.find(connection, now, whose)


def _settle(connection: Connection, now: int, params: dict[str, Any]) -> Approval | RefusedError:
    held = _held(connection, now, params)  # another process may have been quicker
    if isinstance(held, RefusedError):
        return held
    tenant: str = params["tenant"]
    said: Said = params["said"]
    connection.execute(_SQL["decide"], {**params, "now": now}).fetchall()
    approval = find(connection, now, params)
    assert isinstance(approval, Approval)  # noqa: S101  it was there a moment ago
    ended = attrs.evolve(
        held,
        outcome="allow" if approval.state == "approved" else "deny",
        output=said.output,
        model_error=said.error,
        finished_at=now,
    )
    kept = evidence.add(connection, now, tenant, ended, "approval", approval)
    connection.execute(_SQL["finish_invocation"], attrs.asdict(kept) | {"tenant": tenant})
    audit.append(
        connection,
        now,
        tenant,
        actor=params["by"],
        action="approval.approve" if approval.state == "approved" else "approval.reject",
        resource_kind="approval",
        resource_id=approval.approval_id,
        detail={
            "invocation_id": kept.invocation_id,
            "abp_id": kept.abp_id,
            "reason": approval.decision,
            "evidence_pack_id": kept.pack_id,
        },
    )
    return approval
