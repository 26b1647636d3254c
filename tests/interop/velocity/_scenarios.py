"""What a client may be asked to do: each scenario is run with every client, and compared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ._clients import Agent

Scenario = Callable[[Agent], Awaitable[Any]]

SCENARIOS: dict[str, Scenario] = {}


def scenario(fn: Scenario) -> Scenario:
    """Have it run with every client."""
    SCENARIOS[fn.__name__] = fn
    return fn


@scenario
async def whoami(agent: Agent) -> Any:
    return await agent.do("whoami")


@scenario
async def whoami_is_cached_until_it_is_refreshed(agent: Agent) -> Any:
    await agent.do("whoami")
    await agent.do("whoami")
    await agent.do("whoami", refresh=True)
    return agent.client.granted_scopes


@scenario
async def profile(agent: Agent) -> Any:
    return await agent.do("profile.get")


@scenario
async def modules(agent: Agent) -> Any:
    return await agent.do("modules.list")


@scenario
async def a_completed_module(agent: Agent) -> Any:
    done = next(m for m in await agent.do("modules.list") if m.has_output)
    return await agent.do("modules.get", done.code.lower())


@scenario
async def a_module_that_is_not_completed(agent: Agent) -> Any:
    return await agent.do("modules.get", "zz9")


@scenario
async def offers(agent: Agent) -> Any:
    return await agent.do("offers.list")


@scenario
async def team(agent: Agent) -> Any:
    return await agent.do("team.list")


@scenario
async def a_new_member(agent: Agent) -> Any:
    added = await agent.do("team.add", "Ada", "CTO", "ada@example.com")
    return added, await agent.do("team.list")


@scenario
async def a_new_member_with_a_name_only(agent: Agent) -> Any:
    return await agent.do("team.add", "Zoë")


@scenario
async def partnerships(agent: Agent) -> Any:
    return await agent.do("partnerships.list")


@scenario
async def tasks(agent: Agent) -> Any:
    return await agent.do("tasks.list")


@scenario
async def a_new_task(agent: Agent) -> Any:
    created = await agent.do(
        "tasks.create",
        action="Schedule weekly review with COO",
        module_source="L12",
        category="people",
        timeframe="this_week",
        quadrant="schedule",
        assignee="Alex",
        deadline="2026-04-20",
    )
    return created, await agent.do("tasks.list")


@scenario
async def a_new_task_with_what_is_needed_only(agent: Agent) -> Any:
    return await agent.do("tasks.create", "Ship the SDK", "L12")


@scenario
async def a_quadrant_that_is_none(agent: Agent) -> Any:
    return await agent.do("tasks.create", "Ship the SDK", "L12", quadrant="someday")


@scenario
async def an_empty_action(agent: Agent) -> Any:
    return await agent.do("tasks.create", "", "L12")


@scenario
async def an_empty_name(agent: Agent) -> Any:
    return await agent.do("team.add", "")


@scenario
async def programs(agent: Agent) -> Any:
    return await agent.do("academy.programs")


@scenario
async def everything_known_before(agent: Agent) -> Any:
    await agent.do("whoami")
    return [
        await agent.do(f"{name}.list")
        for name in ("modules", "offers", "team", "partnerships", "tasks")
    ]
