"""Changes of a founder's business data, each with the events that tell of it, in one transaction.

Every function is an operation of the store: ``(connection, now, params)``, and an answer. A refusal
is returned, not raised: it is an answer like another, and the transaction goes on.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

import attrs

from quatrain.models.velocity import EventType
from quatrain.server import jsontext
from quatrain.server.idempotency import Once, once
from quatrain.server.problems import RefusedError
from quatrain.server.store import Connection, queries

from . import events
from .queries import account, account_of, task_of
from .records import (
    Account,
    Member,
    Module,
    NewTask,
    Task,
    TaskCompletedError,
    TaskNotFoundError,
)

Params: TypeAlias = dict[str, Any]

_SQL: Final = queries.load("velocity")

DEFAULT_EMAIL: Final = "founder@example.com"
DEFAULT_TIER: Final = "growth"
DEFAULT_VENTURE: Final = "default"
NO_PROFILE: Final = "{}"


def ensure_account(connection: Connection, now: int, params: Params) -> Account:
    """The tenant's account, made when there is none. *params*: tenant, email, name."""
    tenant: str = params["tenant"]
    values = {
        "tenant": tenant,
        "email": params["email"] or DEFAULT_EMAIL,
        "name": params["name"] or tenant,
        "tier": DEFAULT_TIER,
        "venture_id": DEFAULT_VENTURE,
        "profile": NO_PROFILE,
        "now": now,
    }
    connection.execute(_SQL["ensure_account"], values)
    found = account_of(connection, now, tenant)
    assert found is not None  # noqa: S101  just made
    return found


def create_task(connection: Connection, now: int, params: Params) -> Task | RefusedError:
    """Append an action. *params*: account_id, task, once."""
    account_id: int = params["account_id"]
    new: NewTask = params["task"]

    def perform() -> str:
        values = attrs.asdict(new) | {"created_at": now, "updated_at": now, "completed_at": None}
        row = connection.execute(_SQL["add_task"], {**values, "account_id": account_id})
        (number,) = row.fetchone()
        task = Task(f"task_{number}", **values)
        events.to_account(connection, now, account_id, "tasks.created", events.task_created(task))
        return as_text(task)

    answer = once(connection, now, params["once"], perform)
    return answer if isinstance(answer, RefusedError) else Task(**json.loads(answer))


def add_member(connection: Connection, now: int, params: Params) -> Member | RefusedError:
    """Append to the team. *params*: account_id, member, once."""
    account_id: int = params["account_id"]
    member: Member = params["member"]

    def perform() -> str:
        values = attrs.asdict(member)
        connection.execute(_SQL["add_member"], {**values, "account_id": account_id, "now": now})
        events.to_account(connection, now, account_id, "team.added", events.team_added(member))
        return as_text(member)

    answer = once(connection, now, params["once"], perform)
    return answer if isinstance(answer, RefusedError) else Member(**json.loads(answer))


def update_task(connection: Connection, now: int, params: Params) -> Task | RefusedError:
    """Change an open action. *params*: account_id, id, changes (checked)."""
    return _change_task(connection, now, params, params["changes"])


def complete_task(connection: Connection, now: int, params: Params) -> Task | RefusedError:
    """Have an open action done. *params*: account_id, id."""
    return _change_task(connection, now, params, {"completed_at": now})


def _change_task(
    connection: Connection, now: int, params: Params, changes: Params
) -> Task | RefusedError:
    row = connection.execute(_SQL["task"], params).fetchone()
    if row is None:
        return TaskNotFoundError(f"there is no task {params['task_id']!r}")
    task = task_of(row)
    if task.completed_at is not None:
        return TaskCompletedError(f"{task.task_id} is completed: it can't be changed any more")
    task = attrs.evolve(task, **changes, updated_at=now)
    connection.execute(_SQL["change_task"], {**params, **attrs.asdict(task)})
    events.to_account(
        connection, now, params["account_id"], "tasks.updated", events.task_updated(task)
    )
    return task


def complete_module(connection: Connection, now: int, params: Params) -> Module:
    """Give a module its output, a first or another. *params*: account_id, code, output."""
    module = Module(params["code"], "completed", params["output"], now)
    connection.execute(
        _SQL["put_module"], {**attrs.asdict(module), "account_id": params["account_id"]}
    )
    events.to_account(
        connection, now, params["account_id"], "module.updated", events.module_updated(module)
    )
    return module


def set_tier(connection: Connection, now: int, params: Params) -> Account:
    """Change the subscription. *params*: account_id, tier, source."""
    account_id: int = params["account_id"]
    connection.execute(_SQL["set_tier"], params)
    payload = events.subscription_changed(params["tier"], params["source"])
    events.to_account(connection, now, account_id, "subscription.changed", payload)
    return account(connection, now, account_id)


def trigger(connection: Connection, now: int, params: Params) -> int:
    """Tell of an event that did not happen. *params*: account_id, event, payload."""
    event: EventType = params["event"]
    return events.to_account(
        connection, now, params["account_id"], event, params["payload"], real=False
    )


def rehearse(connection: Connection, now: int, params: tuple[Once, str]) -> str | RefusedError:
    """Change nothing, under an idempotency key: the sandbox's way to write."""
    claim, answer = params
    return once(connection, now, claim, lambda: answer)


def as_text(record: Any) -> str:
    """How a record is kept as an answer."""
    return jsontext.dump(attrs.asdict(record))
