"""The effect ledger, managed: what an operator does that no agent may."""

from __future__ import annotations

from typing import Literal

import attrs

from quatrain.server.answers import Items
from quatrain.server.ledger import EffectId
from quatrain.server.shapes import INT64, JsonText, length, unless_none
from quatrain.server.verity import answers, render
from quatrain.server.verity.schema import MAX_KEY, MAX_NAMESPACE, MAX_REASON

from .call import Call, items


@attrs.frozen(kw_only=True)
class ReleaseBody:
    """``POST /effects/release``."""

    namespace: str = attrs.field(validator=length(1, MAX_NAMESPACE))
    effect_key: str = attrs.field(validator=length(1, MAX_KEY))
    reason: str = attrs.field(validator=length(1, MAX_REASON))
    """It goes into the audit trail, with the name of the key."""
    fence_token: int | None = attrs.field(default=None, validator=unless_none(INT64))
    """The newest that the operator has seen: when it has moved on, nothing is done."""


@attrs.frozen(kw_only=True)
class ResolveBody(ReleaseBody):
    """``POST /effects/resolve``."""

    outcome: Literal["done", "not_done"]
    result: JsonText | None = None
    """Of what was done; null when it is left out."""


@attrs.frozen(kw_only=True)
class KeyQuery:
    """``GET /effects``."""

    effect_key: str = attrs.field(validator=length(1, MAX_KEY))


async def list_of_key(call: Call, query: KeyQuery) -> Items[answers.Effect]:
    """The effects of one key, in whichever namespaces: for who does not know which it is."""
    found = await call.services.ledger.of_key(call.principal.realm_id, query.effect_key)
    return items(render.effect(each, payloads=False) for each in found)


async def resolve(call: Call, body: ResolveBody) -> answers.Effect:
    """Settle an effect whose lease ran out by what a person found out."""
    found = await call.services.ledger.resolve(
        _effect(call, body),
        result=(body.result or "null") if body.outcome == "done" else None,
        reason=body.reason,
        by=call.principal.key_name,
        seen_fence=body.fence_token,
    )
    return render.effect(found, payloads=True)


async def release(call: Call, body: ReleaseBody) -> answers.Effect:
    """Take a lease from its holder."""
    found = await call.services.ledger.release(
        _effect(call, body),
        reason=body.reason,
        by=call.principal.key_name,
        seen_fence=body.fence_token,
    )
    return render.effect(found, payloads=True)


def _effect(call: Call, body: ReleaseBody) -> EffectId:
    return EffectId(call.principal.realm_id, body.namespace, body.effect_key)
