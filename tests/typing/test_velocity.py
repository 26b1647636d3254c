"""What type checkers make of Velocity OS's client: read by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from quatrain import AsyncClient, Client
from quatrain.velocity import (
    AcademyProgram,
    AsyncVelocityOS,
    Listing,
    Module,
    ModuleSummary,
    Offer,
    Partnership,
    Profile,
    Quadrant,
    ScopeMissingError,
    Task,
    TaskList,
    TeamMember,
    VelocityOS,
    WhoAmI,
)


async def awaited(vos: AsyncVelocityOS) -> None:
    assert_type(await vos.whoami(refresh=True), WhoAmI)
    assert_type(await vos.profile.get(), Profile)
    assert_type(await vos.modules.list(), Listing[ModuleSummary])
    assert_type(await vos.modules.get("F6"), Module)
    assert_type(await vos.offers.list(), Listing[Offer])
    assert_type(await vos.team.list(), Listing[TeamMember])
    assert_type(await vos.team.add("Ada", "CTO", timeout=3.0), TeamMember)
    assert_type(await vos.partnerships.list(), Listing[Partnership])
    assert_type(await vos.tasks.list(), TaskList)
    assert_type(await vos.academy.programs(), Listing[AcademyProgram])
    assert_type(vos.granted_scopes, list[str] | None)
    assert_type(vos.sandbox_mode, bool | None)


def called(vos: VelocityOS) -> None:
    assert_type(vos.whoami(), WhoAmI)
    assert_type(vos.team.list()[0], TeamMember)
    assert_type(vos.profile.get().sandbox, bool)


async def created(vos: AsyncVelocityOS, quadrant: Quadrant) -> None:
    task = await vos.tasks.create(
        "Ship it", "L12", category="people", quadrant=quadrant, effect_key="task:1"
    )
    assert_type(task, Task)
    await vos.tasks.create("Ship it")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await vos.tasks.create("Ship it", "L12", idempotency_key=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await vos.modules.get("F6", effect_key="no write")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def held(q: AsyncClient, s: Client) -> None:
    assert_type(q.velocity, AsyncVelocityOS)
    assert_type(s.velocity, VelocityOS)


def refused(exc: ScopeMissingError) -> None:
    assert_type(exc.scope, str)
