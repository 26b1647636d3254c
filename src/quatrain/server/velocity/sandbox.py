"""What a developer in sandbox mode is answered: the sample founder, whatever the store holds.

The same names as ``service.BusinessData`` has for the endpoints, so that they know no difference.
"""

from __future__ import annotations

import json
from typing import Any

from quatrain.server.idempotency import Once
from quatrain.server.problems import accepted
from quatrain.server.store import Store

from .operations import as_text, rehearse
from .records import Account, Member, Module, NewTask, Offer, Partnership, Program, Task
from .sample import business
from .service import completed

_NOBODY = "task_0"
"""The id of a task that is not kept."""


class Sandbox:
    """A founder whose data nobody can change; writes are answered, and kept for their keys only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def whoami(self, _account: int) -> Account:
        return business().account

    async def profile(self, _account: int) -> str:
        return business().account.profile

    async def modules(self, _account: int) -> list[Module]:
        return list(business().modules)

    async def module(self, _account: int, code: str) -> Module:
        found = (module for module in business().modules if module.code == code.upper())
        return completed(next(found, None), code)

    async def offers(self, _account: int) -> list[Offer]:
        return list(business().offers)

    async def team(self, _account: int) -> list[Member]:
        return list(business().team)

    async def partnerships(self, _account: int) -> list[Partnership]:
        return list(business().partnerships)

    async def tasks(self, _account: int) -> tuple[list[Task], list[Task]]:
        tasks = business().tasks
        return (
            [task for task in tasks if task.completed_at is None],
            [task for task in tasks if task.completed_at is not None],
        )

    async def programs(self, _account: int) -> list[Program]:
        return list(business().programs)

    async def create_task(self, _account: int, task: NewTask, *, once: Once | None = None) -> Task:
        at = business().account.created_at
        answer = Task(
            _NOBODY,
            task.module_source,
            task.action,
            task.category,
            task.timeframe,
            task.quadrant,
            task.assignee,
            task.deadline,
            created_at=at,
            updated_at=at,
            completed_at=None,
        )
        return Task(**await self._rehearsed(once, answer))

    async def add_member(
        self, _account: int, name: str, role: str, email: str, *, once: Once | None = None
    ) -> Member:
        return Member(**await self._rehearsed(once, Member(name, role, email)))

    async def _rehearsed(self, once: Once | None, answer: Task | Member) -> dict[str, Any]:
        text = as_text(answer)
        if once is not None:
            text = accepted(await self._store.write(rehearse, (once, text)))
        values: dict[str, Any] = json.loads(text)
        return values
