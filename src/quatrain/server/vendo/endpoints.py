"""Vendo's endpoints: what each answers. Source: contracts, Vendo, "Two modes"."""

from __future__ import annotations

from typing import Final

import attrs

from quatrain._catalogue import CATALOGUE
from quatrain.server.endpoint import Endpoint, Handler, endpoint
from quatrain.server.problems import Fault, ProblemError, validation_failed
from quatrain.server.routes import Routes

from . import answers, render
from .call import Call, connect_page
from .proxy import ExecuteBody
from .stream import EventStream
from .wallet import Window

MAX_SLUGS: Final = 100
"""Tokens that are asked for at once."""


async def list_connections(call: Call) -> answers.Connections:
    """Those that the app may use, and what else there is to connect."""
    found = {each.slug: each for each in await call.services.connections.of(call.caller)}
    used = [
        render.connection(each, connect_page(call.origin, slug)) for slug, each in found.items()
    ]
    others = [
        render.available(known, connect_page(call.origin, slug))
        for slug, known in CATALOGUE.items()
        if slug not in found
    ]
    return {"connections": used + others}


async def list_integrations(call: Call) -> answers.Integrations:
    """The whole catalogue."""
    del call
    return {"integrations": [render.integration(known) for known in CATALOGUE.values()]}


async def get_integration(call: Call) -> answers.Integration:
    """One of it."""
    known = CATALOGUE.get(call.path["slug"])
    if known is None:
        raise ProblemError(404, "not_found", "there is no such integration")
    return render.integration(known)


async def get_token(call: Call) -> answers.Token:
    """What opens the connection, renewed if it expires within minutes."""
    return render.token(await call.services.connections.token(call.caller, call.path["slug"]))


@attrs.frozen(kw_only=True)
class BulkQuery:
    """``GET /_bulk``."""

    slugs: str
    """With commas between."""


async def get_tokens(call: Call, query: BulkQuery) -> answers.Tokens:
    """Several at once; null for what can't be used."""
    slugs = list(dict.fromkeys(query.slugs.split(",")))
    if not all(slugs) or len(slugs) > MAX_SLUGS:
        text = f"must be 1 to {MAX_SLUGS} slugs with commas between"
        raise validation_failed([Fault(("query", "slugs"), text, "value")])
    found = await call.services.connections.tokens(call.caller, slugs)
    return {
        "tokens": {
            slug: None if token is None else render.token(token) for slug, token in found.items()
        }
    }


# -- events ---------------------------------------------------------------------------------------


async def subscribe(call: Call) -> EventStream:
    """What the app is told, from now on or after the request's ``Last-Event-ID``.

    For a user, that is what is everybody's and the user's own; without one, all of it.
    """
    streams = call.services.streams
    return await streams.open(call.caller, call.last_event_id, call.admit_again)


# -- billing --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class UsageQuery:
    """``GET /billing/usage``."""

    period: Window = "month"


async def balance(call: Call) -> answers.Balance:
    """What is left to spend."""
    wallet = (await call.services.wallets.state(call.tenant)).wallet
    return {
        "credits_remaining_micros": wallet.credits_micros,
        "currency": wallet.currency,
        "top_up_url": None,
    }


async def spend_caps(call: Call) -> answers.SpendCaps:
    """What may be spent, and what was."""
    return (await call.services.wallets.state(call.tenant)).caps_as_json()


async def usage(call: Call, query: UsageQuery) -> answers.Usage:
    """What was spent this day, or this month, and with whom."""
    return (await call.services.wallets.usage(call.tenant, query.period)).as_json()


# -- data -----------------------------------------------------------------------------------------


async def execute(call: Call, body: ExecuteBody) -> answers.Executed:
    """Do an action."""
    claim = call.claim("POST /v1/execute", body)
    return await call.services.proxy.execute(call.caller, body, claim)


# -- routes ---------------------------------------------------------------------------------------


@attrs.frozen
class Operation:
    """An endpoint, and whether the key of a single connection opens it, too."""

    endpoint: Endpoint[Call]
    takes_connection_keys: bool = False


def operation(handler: Handler, *, takes_connection_keys: bool = False) -> Operation:
    """An endpoint by the function that answers it."""
    return Operation(endpoint(handler, rename=str), takes_connection_keys)


API: Final[Routes[Operation]] = Routes(
    {
        "GET /deployments/me/connections": operation(list_connections),
        "GET /integrations": operation(list_integrations),
        "GET /integrations/{slug}": operation(get_integration),
        "GET /deployments/me/events": operation(subscribe),
        "GET /billing/balance": operation(balance),
        "GET /billing/spend-caps": operation(spend_caps),
        "GET /billing/usage": operation(usage),
    }
)
"""Below ``/api``: what the contract's origin serves."""

CREDENTIALS: Final[Routes[Operation]] = Routes(
    {
        "GET /_bulk": operation(get_tokens, takes_connection_keys=True),
        "GET /{slug}": operation(get_token, takes_connection_keys=True),
    }
)
"""Below ``/credentials``, which stands for the credentials host."""

COMPOSIO: Final[Routes[Operation]] = Routes(
    {
        "POST /v1/execute": operation(execute, takes_connection_keys=True),
    }
)
"""Below ``/composio``, which stands for the data proxy."""
