"""Actions that every local platform has: on its own data, and stand-ins for two integrations'."""

from __future__ import annotations

import secrets
from typing import Any, Final

import attrs

from quatrain.server.problems import accepted
from quatrain.server.shapes import unless_none
from quatrain.server.store import Connection
from quatrain.server.times import iso_time
from quatrain.server.velocity import operations, queries, render
from quatrain.server.velocity.records import NewTask
from quatrain.server.velocity.values import MAX_NAME, MAX_TEXT, filled

from .actions import ActionContext, Actions

_LOCAL: Final = 100
_SENDING: Final = 1_000
_WRITING: Final = 2_000

BUILT_IN: Final = Actions()


@attrs.frozen(kw_only=True)
class Nothing:
    """No arguments."""


@attrs.frozen(kw_only=True)
class SlackMessage:
    """``slack.messages.send``."""

    channel: str = attrs.field(validator=filled(MAX_NAME))
    text: str = attrs.field(validator=filled(MAX_TEXT))


@attrs.frozen(kw_only=True)
class NotionPage:
    """``notion.pages.create``."""

    title: str = attrs.field(validator=filled(MAX_NAME))
    content: str | None = attrs.field(default=None, validator=unless_none(filled(MAX_TEXT)))


@BUILT_IN.add_here("vendo.echo", None, price_micros=_LOCAL)
def echo(_: Connection, __: int, args: dict[str, Any], ___: ActionContext) -> Any:
    """Answer the arguments."""
    return args


@BUILT_IN.add_here("velocity.tasks.list", Nothing, price_micros=_LOCAL)
def list_tasks(
    connection: Connection, now: int, _: Nothing, context: ActionContext
) -> dict[str, Any]:
    """The founder's backlog, and what is done of it."""
    still_open, completed = queries.tasks(connection, now, _account(connection, now, context))
    return {
        "open": [render.task(task) for task in still_open],
        "completed": [render.completed_task(task) for task in completed],
    }


@BUILT_IN.add_here("velocity.tasks.create", NewTask, price_micros=_LOCAL)
def create_task(
    connection: Connection, now: int, args: NewTask, context: ActionContext
) -> dict[str, Any]:
    """Append to the backlog; extensions get their webhooks."""
    account = _account(connection, now, context)
    params = {"account_id": account, "task": args, "once": None}
    return {"created": render.task(accepted(operations.create_task(connection, now, params)))}


@BUILT_IN.add_here("velocity.team.list", Nothing, price_micros=_LOCAL)
def list_team(
    connection: Connection, now: int, _: Nothing, context: ActionContext
) -> dict[str, Any]:
    """The founder's team."""
    team = queries.team(connection, now, _account(connection, now, context))
    return {"team": [render.member(member) for member in team]}


@BUILT_IN.add_here(
    "slack.messages.send", SlackMessage, price_micros=_SENDING, needs_connection=True
)
def send_message(_: Connection, now: int, args: SlackMessage, __: ActionContext) -> dict[str, Any]:
    """Answer as if it had been sent; nothing leaves this machine."""
    return {**attrs.asdict(args), **_simulated("msg", now)}


@BUILT_IN.add_here("notion.pages.create", NotionPage, price_micros=_WRITING, needs_connection=True)
def create_page(_: Connection, now: int, args: NotionPage, __: ActionContext) -> dict[str, Any]:
    """Answer as if it had been written; nothing leaves this machine."""
    return {**attrs.asdict(args), **_simulated("page", now)}


def _account(connection: Connection, now: int, context: ActionContext) -> int:
    params = {"tenant": context.tenant, "email": None, "name": None}
    return operations.ensure_account(connection, now, params).id


def _simulated(kind: str, now: int) -> dict[str, Any]:
    return {"id": f"{kind}_{secrets.token_hex(8)}", "at": iso_time(now), "simulated": True}
