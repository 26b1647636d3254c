"""Velocity OS's endpoints: what each answers. Source: contracts, Velocity OS, "Endpoints"."""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.models.velocity import Scope
from quatrain.server.endpoint import Endpoint, Handler, endpoint
from quatrain.server.idempotency import InFlight, Once, fingerprint
from quatrain.server.routes import Routes

from . import answers, render
from .installs import Caller
from .records import NewMember, NewTask
from .sandbox import Sandbox
from .service import BusinessData


@attrs.frozen
class Call:
    """A request that has been let in: who asks, for which data, and what stands in its path."""

    data: BusinessData | Sandbox
    caller: Caller
    path: dict[str, str]
    key: str | None
    """Its ``Idempotency-Key``."""
    in_flight: InFlight

    @property
    def account(self) -> int:
        """Whose data."""
        return self.caller.account

    def claim(self, operation: str, body: Any) -> Once | None:
        """The request's claim to run once; None when it makes none."""
        if self.key is None:
            return None
        caller = f"velocity:{self.caller.install_id}"
        return Once(caller, self.key, fingerprint(operation, body))


async def whoami(call: Call) -> answers.Whoami:
    """Needs no scope: it is how an extension learns which it has."""
    return render.whoami(await call.data.whoami(call.account), call.caller)


async def profile(call: Call) -> answers.Profile:
    """Free form."""
    return {"profile": render.json_of(await call.data.profile(call.account))}


async def modules(call: Call) -> answers.Modules:
    """Completed and in progress."""
    found = await call.data.modules(call.account)
    return {"modules": [render.module_summary(module) for module in found]}


async def module(call: Call) -> answers.Module:
    """One module's output; 404 until it is completed."""
    return render.module(await call.data.module(call.account, call.path["code"]))


async def offers(call: Call) -> answers.Offers:
    """All of them."""
    return {"offers": [render.offer(offer) for offer in await call.data.offers(call.account)]}


async def team(call: Call) -> answers.Team:
    """All of it."""
    return {"team": [render.member(member) for member in await call.data.team(call.account)]}


async def add_member(call: Call, body: NewMember) -> answers.Created[answers.Member]:
    """Append to the team."""
    claim = call.claim("POST /team", body)
    with call.in_flight.enter(claim):
        member = await call.data.add_member(
            call.account, body.name, body.role or "", body.email or "", once=claim
        )
    return {"created": render.member(member)}


async def partnerships(call: Call) -> answers.Partnerships:
    """All of them."""
    found = await call.data.partnerships(call.account)
    return {"partnerships": [render.partnership(partnership) for partnership in found]}


async def tasks(call: Call) -> answers.Tasks:
    """The backlog, and what is done of it."""
    still_open, completed = await call.data.tasks(call.account)
    return {
        "open": [render.task(task) for task in still_open],
        "completed": [render.completed_task(task) for task in completed],
    }


async def create_task(call: Call, body: NewTask) -> answers.Created[answers.Task]:
    """Append to the backlog."""
    claim = call.claim("POST /tasks", body)
    with call.in_flight.enter(claim):
        task = await call.data.create_task(call.account, body, once=claim)
    return {"created": render.task(task)}


async def programs(call: Call) -> answers.Programs:
    """None unless the founder is on the academy's tier."""
    found = await call.data.programs(call.account)
    return {"programs": [render.program(program) for program in found]}


@attrs.frozen
class Operation:
    """An endpoint, and what an install must have been granted; None for nothing."""

    scope: Scope | None
    endpoint: Endpoint[Call]


def _operation(scope: Scope | None, handler: Handler) -> Operation:
    return Operation(scope, endpoint(handler, rename=str))


ROUTES: Final = Routes(
    {
        "GET /whoami": _operation(None, whoami),
        "GET /profile": _operation("read:profile", profile),
        "GET /modules": _operation("read:modules", modules),
        "GET /modules/{code}": _operation("read:modules", module),
        "GET /offers": _operation("read:offers", offers),
        "GET /team": _operation("read:team", team),
        "POST /team": _operation("write:entities", add_member),
        "GET /partnerships": _operation("read:partnerships", partnerships),
        "GET /tasks": _operation("read:tasks", tasks),
        "POST /tasks": _operation("write:tasks", create_task),
        "GET /academy/programs": _operation("read:academy", programs),
    }
)
