"""Velocity OS, managed: what a founder does in its own app."""

from __future__ import annotations

import asyncio
from typing import Final

from quatrain.errors import InputError
from quatrain.server.answers import Items
from quatrain.server.problems import Fault, ProblemError, validation_failed
from quatrain.server.velocity.answers import Member, ModuleSummary
from quatrain.server.velocity.records import NewMember, NewTask

from . import answers, render
from .call import Call, items
from .schema import ChangeTaskBody, CompleteModuleBody, InstallBody, SubscriptionBody

SOURCE: Final = "manual"
"""Who changed a subscription, unless it is said."""


async def get_account(call: Call) -> answers.Account:
    """The founder's account."""
    return render.account(call.account)


async def seed(call: Call) -> answers.Account:
    """Fill an account that has no business data with the demo's."""
    return render.account(await call.services.business.seed(call.account.tenant))


async def set_tier(call: Call, body: SubscriptionBody) -> answers.Account:
    """Change the subscription."""
    source = SOURCE if body.source is None else body.source
    return render.account(await call.services.business.set_tier(call.account.id, body.tier, source))


async def list_extensions(call: Call) -> Items[answers.Extension]:
    """Every extension that was ever installed."""
    return items(map(render.extension, await call.extensions()))


async def list_installs(call: Call) -> Items[answers.Install]:
    """Every install, revoked ones too."""
    found = await asyncio.to_thread(call.services.installs.list, call.account.id)
    return items(map(render.install, found))


async def add_install(call: Call, body: InstallBody) -> answers.NewInstall:
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


async def revoke_install(call: Call) -> answers.Install:
    """From now on the install's key opens nothing."""
    install_id = call.names["install_id"]
    revoke = call.services.installs.revoke
    try:
        return render.install(await asyncio.to_thread(revoke, call.account.id, install_id))
    except InputError as exc:
        raise ProblemError(404, "not_found", str(exc)) from exc


async def list_tasks(call: Call) -> answers.Tasks:
    """The backlog."""
    still_open, completed = await call.services.business.tasks(call.account.id)
    return {
        "open": [render.task(task) for task in still_open],
        "completed": [render.task(task) for task in completed],
    }


async def add_task(call: Call, body: NewTask) -> answers.Task:
    """Append a task."""
    return render.task(await call.services.business.create_task(call.account.id, body))


async def change_task(call: Call, body: ChangeTaskBody) -> answers.Task:
    """Change an open task."""
    if not body.changes:
        raise validation_failed([Fault(("body",), "must change something", "value")])
    task_id = call.names["task_id"]
    return render.task(
        await call.services.business.update_task(call.account.id, task_id, body.changes)
    )


async def complete_task(call: Call) -> answers.Task:
    """A task is done."""
    task_id = call.names["task_id"]
    return render.task(await call.services.business.complete_task(call.account.id, task_id))


async def list_team(call: Call) -> Items[Member]:
    """Everybody on the team."""
    return items(map(render.member, await call.services.business.team(call.account.id)))


async def add_member(call: Call, body: NewMember) -> Member:
    """Somebody joins the team."""
    return render.member(
        await call.services.business.add_member(
            call.account.id, body.name, body.role or "", body.email or ""
        )
    )


async def list_modules(call: Call) -> Items[ModuleSummary]:
    """Every module that was touched."""
    return items(map(render.module, await call.services.business.modules(call.account.id)))


async def complete_module(call: Call, body: CompleteModuleBody) -> ModuleSummary:
    """A module is completed with this output, or completed before and now has another."""
    code = call.names["code"].upper()
    return render.module(
        await call.services.business.complete_module(call.account.id, code, body.output)
    )
