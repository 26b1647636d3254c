"""Whatever befalls a worker, every run ends, once."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from quatrain.server.velerian import claims
from quatrain.server.velerian.runner import Request, echo
from quatrain.server.velerian.worker import Pace

from .._support import START, ServerClock, second
from ._runs import PATIENCE, Asked, Place, workers


def never(request: Request) -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


async def test_what_is_under_way_may_end(place: Place) -> None:
    """When it is told to stop; nothing new is begun."""
    release = asyncio.Event()

    async def answer(request: Request) -> str:
        await release.wait()
        return "done"

    asked = Asked(answer)
    for _ in range(5):
        await place.ask()
    running = place.worker(asked, Pace(at_once=2, grace=PATIENCE)).running()
    await running.__aenter__()
    await asked.been(2)
    stopping = asyncio.create_task(running.__aexit__(None, None, None))
    async with asyncio.timeout(PATIENCE):
        while workers():
            await asyncio.sleep(0)
    release.set()
    await stopping
    assert ["succeeded"] * 2 + ["queued"] * 3 == await place.statuses()


async def test_what_was_cut_off_is_free_at_once(place: Place) -> None:
    """An orderly stop is no death: it does not count, however often it happens."""
    run_id = await place.ask()
    for _ in range(claims.MAX_ATTEMPTS + 1):
        asked = Asked(never)
        async with place.worker(asked, Pace(grace=0)).running():
            await asked.been(1)
        assert 0 == asked.under_way
    stopped = await place.run(run_id)
    async with place.worker(echo).running():
        await place.over()
    run = await place.run(run_id)
    assert ("running", 0, START) == (stopped.status, stopped.attempts, stopped.claimed_until)
    assert ("succeeded", 1) == (run.status, run.attempts)
    assert 1 == len(place.packs())


async def test_a_plain_runner_that_never_returns_stops_nobody(place: Place) -> None:
    """Its thread is left to itself."""
    asked, release = threading.Event(), threading.Event()

    def wait(request: Request) -> str:
        asked.set()
        release.wait(PATIENCE)
        return "late"

    run_id = await place.ask()
    async with place.worker(wait, Pace(grace=0)).running():
        await asyncio.to_thread(asked.wait, PATIENCE)
    release.set()
    assert "running" == (await place.run(run_id)).status


async def take(place: Place, limit: int = 10) -> list[claims.Claim]:
    """What a worker that then dies has claimed."""
    params = {"limit": limit, "claim_ms": 30_000}
    return await place.store.write(claims.claim, params)


async def test_the_dead_ones_runs_are_begun_again(place: Place, clock: ServerClock) -> None:
    """When their claims have ended, and not before."""
    run_id = await place.ask("old")
    await take(place)
    clock.advance(29_999)
    asked = Asked()
    async with place.worker(asked).running():
        await place.ask("new")
        await asked.been(1)
        assert ["new"] == [request.prompt for request in asked.requests]
        clock.advance(1)
        await place.over()
    run = await place.run(run_id)
    assert ("succeeded", 2, START) == (run.status, run.attempts, run.started_at)
    assert [1, 1, 2] == [d["attempt"] for name, _, d in place.audit() if name == "run.start"]
    assert 2 == len(place.packs())


async def test_a_run_that_is_the_platforms_death_is_given_up(
    place: Place, clock: ServerClock
) -> None:
    """It is begun once, and three times again; then it has failed, which has evidence."""
    run_id = await place.ask()
    for attempt in range(1, 5):
        (claim,) = await take(place)
        assert attempt == claim.run.attempts
        clock.advance(30_000)
    asked = Asked()
    async with place.worker(asked).running():
        await place.over()
    run = await place.run(run_id)
    assert ("failed", "the platform ended in the middle of it, 4 times", None) == (
        *(run.status, run.error, run.governance_pass),
    )
    assert [] == asked.requests
    assert ["failed"] == [pack["status"] for pack in place.packs()]
    assert "run.finish" == place.audit()[-1][0]


async def test_a_long_run_keeps_its_claim(place: Place, clock: ServerClock) -> None:
    """For as long as its process lives."""
    release = asyncio.Event()

    async def answer(request: Request) -> str:
        await release.wait()
        return "done"

    run_id = await place.ask()
    asked = Asked(answer)
    async with place.worker(asked).running():
        await asked.been(1)
        for _ in range(10):
            clock.advance(29_000)
            async with asyncio.timeout(PATIENCE):
                while (await place.run(run_id)).claimed_until != clock.now + 30_000:
                    await asyncio.sleep(0)
        release.set()
        await place.over()
    assert ("succeeded", 1) == ((run := await place.run(run_id)).status, run.attempts)


async def test_who_lost_its_claim_ends_nothing(
    place: Place, clock: ServerClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It stood still for too long; what it was at is cancelled, as another is at it."""
    run_id = await place.ask()
    asked = Asked(never)
    async with place.worker(asked, Pace(renew=0.001, poll=3_600)).running():
        await asked.been(1)
        async with asyncio.timeout(PATIENCE):
            while not (taken := await take(place)):
                clock.advance(30_000)
            while asked.under_way:
                await asyncio.sleep(0)
    assert f"{run_id} was lost to another worker, or is begun again later" in caplog.text
    run = await place.run(run_id)
    assert ("running", 2, clock.now + 30_000) == (run.status, run.attempts, run.claimed_until)
    late = {"id": run.id, "attempt": 1, "ending": claims.Ending(status="failed")}  # type: ignore[arg-type]
    assert not await place.store.write(claims.finish, late)
    assert taken[0].run == await place.run(run_id)
    assert [] == place.packs()


async def test_who_stood_still_since_its_claim_does_not_begin(
    place: Place, clock: ServerClock
) -> None:
    """Somebody else may have begun the run."""
    await place.ask()
    behind = [True]

    class Slow:
        async def write(self, operation: Any, argument: Any) -> Any:
            answer = await super().write(operation, argument)
            if operation is claims.claim and answer and behind:
                behind.pop()
                clock.advance(30_000)
            return answer

    asked = Asked()
    with second(place.store, Slow) as slow:
        async with Place(slow, place.runs, place.networks).worker(asked).running():
            await place.over()
    assert 1 == len(asked.requests)
    assert [2] == [pack["attempts"] for pack in place.packs()]


@pytest.mark.on_file
async def test_an_end_is_noted_when_the_database_is_back(
    place: Place, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So the model is asked once; a person is told once."""
    elsewhere = database.with_name("elsewhere.db")

    def answer(request: Request) -> str:
        database.rename(elsewhere)
        return "done"

    await place.ask()
    asked = Asked(answer)
    async with place.worker(asked).running():
        async with asyncio.timeout(PATIENCE):
            while "can't be noted" not in caplog.text:
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        elsewhere.rename(database)
        await place.over()
    assert ["succeeded"] == await place.statuses()
    assert 1 == len(asked.requests)
    assert 1 == caplog.text.count("can't be noted")


@pytest.mark.on_file
async def test_an_end_that_could_not_be_noted_in_time_is_forgotten(
    place: Place, database: Path, clock: ServerClock
) -> None:
    """The run is begun again: its claim has ended."""
    elsewhere = database.with_name("elsewhere.db")

    def answer(request: Request) -> str:
        if len(asked.requests) == 1:
            database.rename(elsewhere)
        return "done"

    await place.ask()
    asked = Asked(answer)
    worker = place.worker(asked)
    async with worker.running():
        await asked.been(1)
        shift = worker._shift
        assert shift is not None
        async with asyncio.timeout(PATIENCE):
            while shift.background.under_way:
                clock.advance(30_000)  # again: a renewal may have been on its way
                await asyncio.sleep(0)
        elsewhere.rename(database)
        await place.over()
    assert 2 == len(asked.requests)
    assert [2] == [pack["attempts"] for pack in place.packs()]


@pytest.mark.on_file
async def test_a_missing_database_is_waited_for(
    place: Place, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And told once."""
    elsewhere = database.with_name("elsewhere.db")
    await place.ask()
    database.rename(elsewhere)
    async with place.worker(echo).running():
        async with asyncio.timeout(PATIENCE):
            while "runs wait" not in caplog.text:
                await asyncio.sleep(0)
        elsewhere.rename(database)
        await place.over()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 1 == len(warnings)


def test_a_claim_outlasts_its_renewal() -> None:
    """Or runs would be begun twice in one go."""
    with pytest.raises(ValueError, match="a claim has to outlast a renewal that fails"):
        Pace(claim=10, renew=6)
