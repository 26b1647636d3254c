"""The ledger's endpoints: what each does with a request that fits. Source: contracts, Verity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from quatrain.server.cursors import cursor, pair_cursor, pair_of, row_of
from quatrain.server.endpoint import Endpoint, endpoint
from quatrain.server.keys import Principal, Scope
from quatrain.server.ledger import EffectId, Filter, Holder, Ledger, Place
from quatrain.server.times import iso_time

from . import answers, render
from .schema import (
    CommitBody,
    EffectQuery,
    EventsQuery,
    FailBody,
    HolderBody,
    LeaseBody,
    ListQuery,
    RenewBody,
    ReportObserveBody,
    ResetBody,
    TrailQuery,
)


@attrs.frozen
class Call:
    """A request that has been let in: the ledger, who asks, and about which namespace."""

    ledger: Ledger
    principal: Principal
    namespace: str

    def effect(self, effect_key: str) -> EffectId:
        """The effect in the caller's realm."""
        return EffectId(self.principal.realm_id, self.namespace, effect_key)

    def holder(self, body: HolderBody) -> Holder:
        """The lease that the caller says to hold."""
        return Holder(self.effect(body.effect_key), body.fence_token, body.lease_token)


async def lease(call: Call, body: LeaseBody) -> answers.Leased:
    """Begin an effect, or learn how it ended."""
    answer = await call.ledger.lease(
        call.effect(body.effect_key),
        lease_duration_ms=body.duration_ms,
        effect_name=body.effect_name,
        agent_id=body.agent_id,
        workflow_name=body.workflow_name,
        case_id=body.case_id,
        run_id=body.run_id,
        input_json=body.input_json,
    )
    if isinstance(answer, tuple):
        granted, lease_token = answer
        return render.granted(granted, body.effect_key, lease_token)
    return render.cached(answer, body.effect_key)


async def commit(call: Call, body: CommitBody) -> answers.Settled:
    """Settle an effect with its result."""
    answer = await call.ledger.commit(
        call.holder(body), result=body.result, source=body.source, run_id=body.run_id
    )
    return render.settled(
        answer,
        first=("accepted", "the effect is committed"),
        repeated=("already_committed", "this commit had been accepted before"),
    )


async def fail(call: Call, body: FailBody) -> answers.Settled:
    """Settle an effect with its error."""
    answer = await call.ledger.fail(
        call.holder(body), error=body.error, source=body.source, run_id=body.run_id
    )
    return render.settled(
        answer,
        first=("recorded", "the failure is recorded"),
        repeated=("already_failed", "this failure had been recorded before"),
    )


async def renew(call: Call, body: RenewBody) -> answers.Renewed:
    """Hold a lease longer."""
    answer = await call.ledger.renew(call.holder(body), extension_ms=body.extension_ms)
    return {"status": "renewed", "leaseExpiresAt": iso_time(answer.lease_expires_at)}


async def report_observe(call: Call, body: ReportObserveBody) -> answers.Observed:
    """Tell the audit trail what an observe found."""
    answer = await call.ledger.report_observe(
        call.holder(body), hit=body.hit, duration_ms=body.duration_ms
    )
    return {
        "status": "recorded",
        "effectId": render.effect_id(answer.effect_id),
        "fenceToken": answer.fence_token,
    }


async def reset(call: Call, body: ResetBody) -> answers.Effect:
    """Let an effect that failed or expired begin again."""
    found = await call.ledger.reset(
        call.effect(body.effect_key), reason=body.reason, by=call.principal.key_name
    )
    return render.effect(found, payloads=True)


async def get_effect(call: Call, query: EffectQuery) -> answers.Effect:
    """One effect with its payloads."""
    found = await call.ledger.get(call.effect(query.effect_key))
    return render.effect(found, payloads=True)


async def get_events(call: Call, query: EventsQuery) -> answers.Scroll[answers.Event]:
    """A page of an effect's audit trail, oldest first."""
    page = await call.ledger.events(
        call.effect(query.effect_key), limit=query.limit, after=row_of(query.cursor) or 0
    )
    return {
        "items": [render.event(line) for line in page.items],
        "nextCursor": cursor(page.next),
    }


async def list_effects(call: Call, query: ListQuery) -> answers.Scroll[answers.Effect]:
    """A page of the caller's effects, newest first."""
    wanted = Filter(
        namespace=query.namespace,
        status=query.wanted_status,
        workflow=query.workflow,
        case=query.case,
        key=query.key,
    )
    page = await call.ledger.list(
        call.principal.realm_id,
        wanted,
        limit=query.limit,
        before=row_of(query.cursor),
        payloads=query.payloads,
    )
    return {
        "items": [render.effect(item, payloads=query.payloads) for item in page.items],
        "nextCursor": cursor(page.next),
    }


async def get_trail(call: Call, query: TrailQuery) -> answers.Scroll[answers.Trail]:
    """A page of the audit trails of the caller's effects, effect by effect."""
    page = await call.ledger.trail(
        call.principal.realm_id,
        namespace=query.namespace,
        limit=query.limit,
        after=Place(*(pair_of(query.cursor) or (0, 0))),
    )
    return {
        "items": [render.trail(item) for item in page.items],
        "nextCursor": pair_cursor(page.next),
    }


@attrs.frozen
class Operation:
    """An endpoint, how it is reached and what a key must be allowed to."""

    method: str
    scope: Scope
    endpoint: Endpoint[Call]


OF_NAMESPACE: Final[Mapping[str, Operation]] = {
    "lease": Operation("POST", Scope.WRITE, endpoint(lease)),
    "commit": Operation("POST", Scope.WRITE, endpoint(commit)),
    "fail": Operation("POST", Scope.WRITE, endpoint(fail)),
    "renew": Operation("POST", Scope.WRITE, endpoint(renew)),
    "report-observe": Operation("POST", Scope.WRITE, endpoint(report_observe)),
    "reset": Operation("POST", Scope.RESET, endpoint(reset)),
    "effect": Operation("GET", Scope.READ, endpoint(get_effect)),
    "events": Operation("GET", Scope.READ, endpoint(get_events)),
}
"""By the verb that ends the path."""

OF_ALL: Final = Operation("GET", Scope.READ, endpoint(list_effects))
"""``/effects`` itself."""

OF_TRAIL: Final = Operation("GET", Scope.READ, endpoint(get_trail))
"""``/trail``: the audit trail of all effects."""
