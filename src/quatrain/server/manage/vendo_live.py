"""Vendo, managed: events that are published for tests and demos, and the tenant's wallet."""

from __future__ import annotations

from quatrain.server.vendo.publishing import Event
from quatrain.server.vendo.wallet import State

from . import answers
from .call import Call
from .vendo_schema import CapsBody, PublishBody, TopUpBody


async def publish(call: Call, body: PublishBody) -> answers.Published:
    """Tell the tenant's apps, or one of them, of what has not happened."""
    events = [Event(event.kind, event.fields) for event in body.events]
    told = await call.services.vendo.publisher.publish(call.tenant, events, app=body.app)
    return {"published": len(events), "apps": told}


async def get_wallet(call: Call) -> answers.Wallet:
    """What is left, what may be spent and what was."""
    return _wallet(await call.services.vendo.wallets.state(call.tenant))


async def top_up(call: Call, body: TopUpBody) -> answers.Wallet:
    """Add credits."""
    return _wallet(await call.services.vendo.wallets.top_up(call.tenant, body.micros))


async def set_caps(call: Call, body: CapsBody) -> answers.Wallet:
    """Set caps, or take them away."""
    state = await call.services.vendo.wallets.set_caps(
        call.tenant,
        daily=body.daily_micros,
        monthly=body.monthly_micros,
        remove=frozenset(body.remove or ()),
    )
    return _wallet(state)


def _wallet(state: State) -> answers.Wallet:
    return {
        "tenant": state.wallet.tenant,
        "credits_micros": state.wallet.credits_micros,
        "currency": state.wallet.currency,
        **state.caps_as_json(),
    }
