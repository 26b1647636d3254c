"""Reads of a founder's business data, as operations of the store."""

from __future__ import annotations

from typing import Any, Final

from quatrain.server.store import Connection, Rows, queries

from .records import Account, Member, Module, Offer, Partnership, Program, Task
from .sample import ACADEMY

_SQL: Final = queries.load("velocity")


def account(connection: Connection, _now: int, account_id: int) -> Account:
    """The account, which there is: accounts are never deleted."""
    return Account(*connection.execute(_SQL["account"], {"account_id": account_id}).fetchone())


def account_of(connection: Connection, _now: int, tenant: str) -> Account | None:
    """The tenant's account; None when nothing has made one."""
    row = connection.execute(_SQL["account_of"], {"tenant": tenant}).fetchone()
    return None if row is None else Account(*row)


def modules(connection: Connection, _now: int, account_id: int) -> list[Module]:
    """Every module that the founder has touched."""
    return [Module(*row) for row in _rows(connection, "modules", account_id)]


def module(connection: Connection, _now: int, params: dict[str, Any]) -> Module | None:
    """One of them."""
    row = connection.execute(_SQL["module"], params).fetchone()
    return None if row is None else Module(*row)


def offers(connection: Connection, _now: int, account_id: int) -> list[Offer]:
    """In the order they were made, as everything here is."""
    return [Offer(*row) for row in _rows(connection, "offers", account_id)]


def team(connection: Connection, _now: int, account_id: int) -> list[Member]:
    """The founder's team."""
    return [Member(*row) for row in _rows(connection, "team", account_id)]


def partnerships(connection: Connection, _now: int, account_id: int) -> list[Partnership]:
    """The founder's partners."""
    return [Partnership(*row) for row in _rows(connection, "partnerships", account_id)]


def tasks(connection: Connection, _now: int, account_id: int) -> tuple[list[Task], list[Task]]:
    """The open ones and the completed ones."""
    found = [task_of(row) for row in _rows(connection, "tasks", account_id)]
    return (
        [task for task in found if task.completed_at is None],
        [task for task in found if task.completed_at is not None],
    )


def programs(connection: Connection, _now: int, account_id: int) -> list[Program]:
    """The academy's programs; none unless the founder's tier has them."""
    params = {"account_id": account_id, "tier": ACADEMY}
    return [Program(*row) for row in connection.execute(_SQL["programs"], params)]


def task_of(row: tuple[Any, ...]) -> Task:
    """A row of the statement ``task`` or ``tasks``."""
    number, *rest = row
    return Task(f"task_{number}", *rest)


def _rows(connection: Connection, statement: str, account_id: int) -> Rows:
    return connection.execute(_SQL[statement], {"account_id": account_id})
