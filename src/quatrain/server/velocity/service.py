"""A founder's business data: what may be asked of it, whoever asks and however they are connected.

Every change is one operation of the store: it and the webhooks that tell of it are on the disk
together, or not at all, and it answers when they are. An *account* is an account's id.
Source: contracts, Velocity OS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.idempotency import Once
from quatrain.server.ids import row_id
from quatrain.server.names import checked
from quatrain.server.problems import accepted
from quatrain.server.store import Store

from . import operations, queries, sample, seeding, values
from .records import (
    Account,
    Member,
    Module,
    ModuleNotCompletedError,
    NewMember,
    NewTask,
    Offer,
    Partnership,
    Program,
    Task,
    TaskNotFoundError,
)

_TASK_FIELDS: Final = attrs.fields_dict(NewTask)


class BusinessData:
    """Reads and changes of every account.

    A RefusedError is raised when the state of things forbids a change, InputError for values that
    can't be meant, StoreUnavailableError when the database can't be used.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- accounts ---------------------------------------------------------------------------------

    async def ensure_account(
        self, tenant: str, *, email: str | None = None, name: str | None = None
    ) -> Account:
        """The tenant's account, made when there is none, with *email* and *name*."""
        params = {
            "tenant": checked(tenant, "a tenant", values.MAX_NAME),
            "email": None if email is None else checked(email, "an email", values.MAX_EMAIL),
            "name": None if name is None else checked(name, "a name", values.MAX_NAME),
        }
        return await self._store.write(operations.ensure_account, params)

    async def account_of(self, tenant: str) -> Account | None:
        """The tenant's account; None when nothing has made one."""
        return await self._store.read(queries.account_of, tenant)

    async def seed(self, tenant: str) -> Account:
        """The tenant's account, filled with the demo's data unless it has data already."""
        checked(tenant, "a tenant", values.MAX_NAME)
        return await self._store.write(seeding.fill, tenant)

    # -- reads ------------------------------------------------------------------------------------

    async def whoami(self, account: int) -> Account:
        """The founder."""
        return await self._store.read(queries.account, account)

    async def profile(self, account: int) -> str:
        """The founder's profile, a JSON object."""
        return (await self.whoami(account)).profile

    async def modules(self, account: int) -> list[Module]:
        """Every module that the founder has touched."""
        return await self._store.read(queries.modules, account)

    async def module(self, account: int, code: str) -> Module:
        """A completed module, whatever the case of *code*; raises ModuleNotCompletedError."""
        params = {"account_id": account, "code": code.upper()}
        found = await self._store.read(queries.module, params)
        return completed(found, code)

    async def offers(self, account: int) -> list[Offer]:
        """The founder's offers."""
        return await self._store.read(queries.offers, account)

    async def team(self, account: int) -> list[Member]:
        """The founder's team."""
        return await self._store.read(queries.team, account)

    async def partnerships(self, account: int) -> list[Partnership]:
        """The founder's partners."""
        return await self._store.read(queries.partnerships, account)

    async def tasks(self, account: int) -> tuple[list[Task], list[Task]]:
        """The open actions and the completed ones."""
        return await self._store.read(queries.tasks, account)

    async def programs(self, account: int) -> list[Program]:
        """The academy's programs; none unless the tier is academy."""
        return await self._store.read(queries.programs, account)

    # -- changes ----------------------------------------------------------------------------------

    async def create_task(self, account: int, task: NewTask, *, once: Once | None = None) -> Task:
        """Append an action; sends tasks.created. Raises KeyReusedError."""
        params = {"account_id": account, "task": task, "once": once}
        return accepted(await self._store.write(operations.create_task, params))

    async def add_member(
        self, account: int, name: str, role: str, email: str, *, once: Once | None = None
    ) -> Member:
        """Append to the team; sends team.added. Raises KeyReusedError, and InputError."""
        try:
            new = NewMember(name=name, role=role, email=email)
        except ValueError as exc:
            raise InputError(f"a team member's values: {exc}") from exc
        member = Member(new.name, new.role or "", new.email or "")
        params = {"account_id": account, "member": member, "once": once}
        return accepted(await self._store.write(operations.add_member, params))

    async def update_task(self, account: int, task_id: str, changes: Mapping[str, Any]) -> Task:
        """Change fields of an open action; sends tasks.updated.

        Raises TaskNotFoundError, TaskCompletedError, and InputError for fields and values that a
        task can't have.
        """
        params = {**_of_task(account, task_id), "changes": _checked_changes(changes)}
        return accepted(await self._store.write(operations.update_task, params))

    async def complete_task(self, account: int, task_id: str) -> Task:
        """Have an action done; sends tasks.updated. TaskNotFoundError, TaskCompletedError."""
        params = _of_task(account, task_id)
        return accepted(await self._store.write(operations.complete_task, params))

    async def complete_module(self, account: int, code: str, output_json: str) -> Module:
        """Give a module its output, or another one; sends module.updated."""
        checked(code, "a module's code", values.MAX_CODE)
        params = {"account_id": account, "code": code.upper(), "output": output_json}
        return await self._store.write(operations.complete_module, params)

    async def set_tier(self, account: int, tier: str, source: str) -> Account:
        """Change the subscription; sends subscription.changed."""
        params = {
            "account_id": account,
            "tier": checked(tier, "a tier", values.MAX_NAME),
            "source": checked(source, "a source", values.MAX_NAME),
        }
        return await self._store.write(operations.set_tier, params)

    async def trigger(
        self, account: int, event_type: str, payload: Mapping[str, Any] | None = None
    ) -> int:
        """Send an event that did not happen, a sample one by default: how many deliveries it makes.

        Who may know of it is told by the installs' scopes, as ever.
        """
        event = values.EVENTS.get(event_type)
        if event is None:
            raise InputError(
                f"there is no event {event_type!r}; there are {', '.join(values.EVENTS)}"
            )
        params = {
            "account_id": account,
            "event": event,
            "payload": sample.payload(event) if payload is None else payload,
        }
        return await self._store.write(operations.trigger, params)


# -- what they share ------------------------------------------------------------------------------


def completed(module: Module | None, code: str) -> Module:
    """The module, if it has an output."""
    if module is None or module.output is None:
        raise ModuleNotCompletedError(f"module {code.upper()[:50]!r} is not completed")
    return module


def _of_task(account: int, task_id: str) -> dict[str, Any]:
    number = row_id(task_id, "task")
    if number is None:
        raise TaskNotFoundError(f"there is no task {task_id[:50]!r}")
    return {"account_id": account, "task_id": task_id, "id": number}


def _checked_changes(changes: Mapping[str, Any]) -> dict[str, str | None]:
    if not changes:
        raise InputError("there is nothing to change")
    return {name: _checked_change(name, value) for name, value in changes.items()}


def _checked_change(name: str, value: Any) -> str | None:
    field = _TASK_FIELDS.get(name)
    if field is None:
        raise InputError(f"a task has no {name!r}; it has {', '.join(_TASK_FIELDS)}")
    optional = field.default is None
    if value is None and optional:
        return None
    if not isinstance(value, str):
        raise InputError(f"{name}: must be text")
    try:
        field.validator(None, field, value)  # type: ignore[misc]  # every field has one
    except ValueError as exc:
        raise InputError(f"{name}: {exc}") from exc
    return value or None if optional else value
