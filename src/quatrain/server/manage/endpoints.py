"""The management API's endpoints: what each does with a request that fits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server import webhooks
from quatrain.server.cursors import cursor, row_of
from quatrain.server.endpoint import Endpoint, endpoint
from quatrain.server.problems import Fault, ProblemError, RefusedError, validation_failed
from quatrain.server.routes import Routes
from quatrain.server.store import SqliteStore
from quatrain.server.velocity.installs import Extension, Installs
from quatrain.server.velocity.records import Account, NewMember, NewTask
from quatrain.server.velocity.service import BusinessData
from quatrain.server.webhooks import endpoints, outbox

from . import render
from .schema import (
    ChangeTaskBody,
    CompleteModuleBody,
    DeliveriesQuery,
    EndpointBody,
    InstallBody,
    SubscriptionBody,
    TriggerBody,
)

T = TypeVar("T")

SOURCE: Final = "manual"
"""Who changed a subscription, unless it is said."""
LOCAL: Final = "local"
"""The extension that endpoints are for when there are several and none is named."""


@attrs.frozen
class Services:
    """What the platform's parts offer. ``wake`` tells the dispatcher that there is something."""

    business: BusinessData
    installs: Installs
    store: SqliteStore
    wake: Callable[[], None]


@attrs.frozen
class Call:
    """A request that has been let in: the services, whose account, and the names in the path."""

    services: Services
    account: Account
    names: dict[str, str]

    async def write(self, operation: Callable[..., T | RefusedError], **params: Any) -> T:
        """Run an operation of the outbox about the account; raises what it refuses."""
        values = {"account_id": self.account.id, **params}
        answer = await self.services.store.write(operation, values)
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    async def extensions(self) -> list[Extension]:
        """Every extension that the account knows."""
        return await asyncio.to_thread(self.services.installs.extensions, self.account.id)


# -- Velocity OS: what a founder does in its app --------------------------------------------------


async def get_account(call: Call) -> dict[str, Any]:
    """The founder's account."""
    return render.account(call.account)


async def seed(call: Call) -> dict[str, Any]:
    """Fill an account that has no business data with the demo's."""
    return render.account(await call.services.business.seed(call.account.tenant))


async def set_tier(call: Call, body: SubscriptionBody) -> dict[str, Any]:
    """Change the subscription."""
    source = SOURCE if body.source is None else body.source
    return render.account(await call.services.business.set_tier(call.account.id, body.tier, source))


async def list_extensions(call: Call) -> dict[str, Any]:
    """Every extension that was ever installed."""
    return _items(map(render.extension, await call.extensions()))


async def list_installs(call: Call) -> dict[str, Any]:
    """Every install, revoked ones too."""
    found = await asyncio.to_thread(call.services.installs.list, call.account.id)
    return _items(map(render.install, found))


async def add_install(call: Call, body: InstallBody) -> dict[str, Any]:
    """Install an extension; its key is in this answer and in no other."""
    made, secret = await asyncio.to_thread(
        call.services.installs.create,
        call.account.id,
        body.slug,
        name=body.name,
        developer=body.developer,
        scopes=body.scopes,
        sandbox=bool(body.sandbox),
    )
    return {**render.install(made), "key": secret.reveal()}


async def revoke_install(call: Call) -> dict[str, Any]:
    """From now on the install's key opens nothing."""
    install_id = call.names["install_id"]
    revoke = call.services.installs.revoke
    try:
        return render.install(await asyncio.to_thread(revoke, call.account.id, install_id))
    except InputError as exc:
        raise ProblemError(404, "not_found", str(exc)) from exc


async def list_tasks(call: Call) -> dict[str, Any]:
    """The backlog."""
    still_open, completed = await call.services.business.tasks(call.account.id)
    return {
        "open": [render.task(task) for task in still_open],
        "completed": [render.task(task) for task in completed],
    }


async def add_task(call: Call, body: NewTask) -> dict[str, Any]:
    """Append a task."""
    return render.task(await call.services.business.create_task(call.account.id, body))


async def change_task(call: Call, body: ChangeTaskBody) -> dict[str, Any]:
    """Change an open task."""
    if not body.changes:
        raise validation_failed([Fault(("body",), "must change something", "value")])
    task_id = call.names["task_id"]
    return render.task(
        await call.services.business.update_task(call.account.id, task_id, body.changes)
    )


async def complete_task(call: Call) -> dict[str, Any]:
    """A task is done."""
    task_id = call.names["task_id"]
    return render.task(await call.services.business.complete_task(call.account.id, task_id))


async def list_team(call: Call) -> dict[str, Any]:
    """Everybody on the team."""
    return _items(map(render.member, await call.services.business.team(call.account.id)))


async def add_member(call: Call, body: NewMember) -> dict[str, Any]:
    """Somebody joins the team."""
    return render.member(
        await call.services.business.add_member(
            call.account.id, body.name, body.role or "", body.email or ""
        )
    )


async def list_modules(call: Call) -> dict[str, Any]:
    """Every module that was touched."""
    return _items(map(render.module, await call.services.business.modules(call.account.id)))


async def complete_module(call: Call, body: CompleteModuleBody) -> dict[str, Any]:
    """A module is completed with this output, or completed before and now has another."""
    code = call.names["code"].upper()
    return render.module(
        await call.services.business.complete_module(call.account.id, code, body.output)
    )


# -- webhooks -------------------------------------------------------------------------------------


async def list_endpoints(call: Call) -> dict[str, Any]:
    """Where events go; endpoints that were removed, too."""
    found = await call.services.store.read(
        endpoints.list_endpoints, {"account_id": call.account.id}
    )
    slugs = {extension.id: extension.slug for extension in await call.extensions()}
    return _items(render.endpoint(each, slugs) for each in found)


async def add_endpoint(call: Call, body: EndpointBody) -> dict[str, Any]:
    """Send an extension's events to a URL; the signing secret is in this answer and no other."""
    extension = _chosen(await call.extensions(), body.extension)
    secret = endpoints.new_signing_secret() if body.secret is None else Secret(body.secret)
    made = await call.write(
        endpoints.add_endpoint,
        extension_id=extension.id,
        url=body.url,
        events=[webhooks.EVERY_EVENT] if body.events is None else body.events,
        secret=secret,
    )
    shown = render.endpoint(made, {extension.id: extension.slug})
    return {**shown, "secret": secret.reveal()}


async def remove_endpoint(call: Call) -> dict[str, Any]:
    """Send nothing there any more."""
    row = render.endpoint_row(call.names["endpoint_id"])
    removed = await call.write(endpoints.remove_endpoint, endpoint_id=row)
    slugs = {extension.id: extension.slug for extension in await call.extensions()}
    return render.endpoint(removed, slugs)


async def list_deliveries(call: Call, query: DeliveriesQuery) -> dict[str, Any]:
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
        **_items(map(render.delivery, page.items)),
        "next_cursor": cursor(page.next),
    }


async def resend(call: Call) -> dict[str, Any]:
    """Send a delivery once more, whatever became of it."""
    again = await call.write(outbox.resend, delivery_id=call.names["delivery_id"])
    return render.delivery(again)


async def trigger(call: Call, body: TriggerBody) -> dict[str, Any]:
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
    text = f"there is no extension {slug!r}: install it, or name one of {sorted(of)}"
    raise validation_failed([Fault(("body", "extension"), text, "value")])


def _items(rendered: Any) -> dict[str, Any]:
    return {"items": list(rendered)}


# -- routes ---------------------------------------------------------------------------------------

_Handler = Callable[..., Awaitable[Any]]


def _reads(handler: _Handler) -> Endpoint[Call]:
    return endpoint(handler, rename=str)


def _writes(handler: _Handler) -> Endpoint[Call]:
    """Whoever writes may have put something into the outbox, and does not wait for its sending."""
    made = endpoint(handler, rename=str)

    async def write(call: Call, **content: Any) -> Any:
        answer = await handler(call, **content)
        call.services.wake()
        return answer

    return attrs.evolve(made, handler=write)


ROUTES: Final[Routes[Endpoint[Call]]] = Routes(
    {
        "GET /velocity/account": _reads(get_account),
        "POST /velocity/seed": _writes(seed),
        "POST /velocity/subscription": _writes(set_tier),
        "GET /velocity/extensions": _reads(list_extensions),
        "GET /velocity/installs": _reads(list_installs),
        "POST /velocity/installs": _writes(add_install),
        "POST /velocity/installs/{install_id}/revoke": _writes(revoke_install),
        "GET /velocity/tasks": _reads(list_tasks),
        "POST /velocity/tasks": _writes(add_task),
        "POST /velocity/tasks/{task_id}": _writes(change_task),
        "POST /velocity/tasks/{task_id}/complete": _writes(complete_task),
        "GET /velocity/team": _reads(list_team),
        "POST /velocity/team": _writes(add_member),
        "GET /velocity/modules": _reads(list_modules),
        "POST /velocity/modules/{code}": _writes(complete_module),
        "GET /webhooks": _reads(list_endpoints),
        "POST /webhooks": _writes(add_endpoint),
        "POST /webhooks/trigger": _writes(trigger),
        "GET /webhooks/deliveries": _reads(list_deliveries),
        "POST /webhooks/{endpoint_id}/remove": _writes(remove_endpoint),
        "POST /webhooks/deliveries/{delivery_id}/resend": _writes(resend),
    }
)
"""``/manage/v1``."""
