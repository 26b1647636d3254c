"""Webhooks, managed: where events go, and what became of each."""

from __future__ import annotations

import json
from typing import Final

from quatrain._secret import Secret
from quatrain.server import webhooks
from quatrain.server.answers import Items, Scroll
from quatrain.server.cursors import cursor, row_of
from quatrain.server.problems import Fault, validation_failed
from quatrain.server.velocity import Extension
from quatrain.server.webhooks import endpoints, outbox

from . import answers, render
from .call import Call, items
from .schema import DeliveriesQuery, EndpointBody, TriggerBody

LOCAL: Final = "local"
"""The extension that endpoints are for when there are several and none is named."""


async def list_endpoints(call: Call) -> Items[answers.Endpoint]:
    """Where events go; endpoints that were removed, too."""
    found = await call.services.store.read(
        endpoints.list_endpoints, {"account_id": call.account.id}
    )
    slugs = {extension.id: extension.slug for extension in await call.extensions()}
    return items(render.endpoint(each, slugs) for each in found)


async def add_endpoint(call: Call, body: EndpointBody) -> answers.NewEndpoint:
    """Send an extension's events to a URL; the signing secret is in this answer and no other."""
    extension = _chosen(await call.extensions(), body.extension)
    secret = endpoints.new_signing_secret() if body.secret is None else Secret(body.secret)
    made = await call.write(
        endpoints.add_endpoint,
        extension_id=extension.id,
        url=body.url,
        events=[webhooks.EVERY_EVENT] if body.events is None else body.events,
        secret=secret,
        replace=body.replace,
    )
    shown = render.endpoint(made, {extension.id: extension.slug})
    return {**shown, "secret": secret.reveal()}


async def remove_endpoint(call: Call) -> answers.Endpoint:
    """Send nothing there any more."""
    row = render.endpoint_row(call.names["endpoint_id"])
    removed = await call.write(endpoints.remove_endpoint, endpoint_id=row)
    slugs = {extension.id: extension.slug for extension in await call.extensions()}
    return render.endpoint(removed, slugs)


async def list_deliveries(call: Call, query: DeliveriesQuery) -> Scroll[answers.Delivery]:
    """A page of what was sent and of what waits, newest first."""
    status = None if query.status is None else webhooks.DeliveryStatus(query.status)
    params = {
        "account_id": call.account.id,
        "filter": webhooks.Filter(status=status, event_type=query.event),
        "limit": query.limit,
        "before": row_of(query.cursor),
    }
    page = await call.services.store.read(outbox.list_deliveries, params)
    return {
        **items(map(render.delivery, page.items)),
        "next_cursor": cursor(page.next),
    }


async def resend(call: Call) -> answers.Delivery:
    """Send a delivery once more, whatever became of it."""
    again = await call.write(outbox.resend, delivery_id=call.names["delivery_id"])
    return render.delivery(again)


async def trigger(call: Call, body: TriggerBody) -> answers.Triggered:
    """Send an event that did not happen, to whoever would get a real one."""
    payload = None if body.payload is None else json.loads(body.payload)
    return {
        "deliveries": await call.services.business.trigger(call.account.id, body.event, payload)
    }


def _chosen(known: list[Extension], slug: str | None) -> Extension:
    """The extension that is meant; raises ProblemError 422."""
    of = {extension.slug: extension for extension in known}
    if slug is None:
        slug = next(iter(of)) if len(of) == 1 else LOCAL
    if slug in of:
        return of[slug]
    remedy = f"install it, or name {', '.join(of)}" if of else "install it first"
    text = f"there is no extension {slug[:50]!r}: {remedy}"
    raise validation_failed([Fault(("body", "extension"), text, "value")])
