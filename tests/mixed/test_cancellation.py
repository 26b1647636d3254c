"""Cancelling the async client: what goes on, what is left, and what comes out."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from quatrain._runtime._async import background, finish
from quatrain.verity import (
    AsyncVerityClient,
    EffectContext,
)

from .._doubles import BASE_URL, KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger
from ._tasks import Task, is_cancellation, never, receipt


async def test_cancelled_in_act_records_nothing_and_renews_no_more(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, task: Task
) -> None:
    """The lease runs out, and the next attempt observes first."""
    begun = anyio.Event()

    async def act() -> None:
        begun.set()
        await anyio.sleep_forever()

    async def run() -> None:
        await verity.protect("k", act=act)

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, run)
        await begun.wait()
        task.cancel()
        await task.ended.wait()
    assert is_cancellation(task.outcome)
    await clock.advance(100)
    assert ledger.verbs == ["lease"]
    assert await verity.protect("k", act=never, observe=receipt) == "receipt"


@pytest.mark.parametrize("how", ["wait_for", "timeout"])
def test_asyncios_own_timeouts_work(how: str) -> None:
    """They see their own cancellation, and nothing is left of it."""
    clock = AsyncManualClock()
    ledger = FakeLedger(clock)

    async def main() -> int:
        async with httpx.AsyncClient(transport=AsyncLedgerTransport(ledger)) as http:
            verity = AsyncVerityClient(
                base_url=BASE_URL, api_key=KEY, namespace="ns", http_client=http, clock=clock
            )

            async def run() -> None:
                if how == "wait_for":
                    await asyncio.wait_for(verity.protect("k", act=anyio.sleep_forever), 0.01)
                async with asyncio.timeout(0.01):
                    await verity.protect("k", act=anyio.sleep_forever)

            with pytest.raises(TimeoutError):
                await run()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(main()) == 0
    assert ledger.verbs == ["lease"]


async def test_an_act_that_cleans_up_slowly_is_waited_for(
    verity: AsyncVerityClient, ledger: FakeLedger, task: Task
) -> None:
    """Under its lease: it is still at it."""
    begun, cleaned = anyio.Event(), []

    async def act(context: EffectContext) -> None:
        try:
            begun.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            assert context.lease is not None
            cleaned.append(context.lease.lost.is_set())

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=act))
        await begun.wait()
        task.cancel()
    assert cleaned == [False]
    assert is_cancellation(task.outcome)


async def test_cancelled_while_waiting_for_the_lease(
    verity: AsyncVerityClient, ledger: FakeLedger, transport: AsyncLedgerTransport, task: Task
) -> None:
    """Nothing has been done."""
    transport.gates["lease"] = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=never))
        await transport.entered["lease"].wait()
        task.cancel()
    assert is_cancellation(task.outcome)
    assert ledger.verbs == []


# -- commits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("verb", ["commit", "fail"])
async def test_a_commit_once_begun_is_ended(
    verity: AsyncVerityClient,
    ledger: FakeLedger,
    transport: AsyncLedgerTransport,
    task: Task,
    verb: str,
    times: int,
) -> None:
    """However often it is cancelled; then the cancellation goes on."""
    transport.gates[verb] = anyio.Event()

    async def act() -> str:
        if verb == "fail":
            raise ValueError
        return "receipt"

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=act))
        await transport.entered[verb].wait()
        for _ in range(times):
            task.cancel()
            await anyio.wait_all_tasks_blocked()
        assert not task.ended.is_set()
        transport.gates[verb].set()
    assert is_cancellation(task.outcome)
    assert ledger.effect()["status"] == {"commit": "COMMITTED", "fail": "FAILED"}[verb]


async def test_a_commit_that_is_sent_again_is_ended_too(
    verity: AsyncVerityClient, ledger: FakeLedger, transport: AsyncLedgerTransport, task: Task
) -> None:
    """With its repetitions."""
    transport.gates["commit"] = anyio.Event()
    ledger.faults["commit"].extend(["lost", 503])
    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=receipt))
        await transport.entered["commit"].wait()
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        transport.gates["commit"].set()
    assert is_cancellation(task.outcome)
    assert ledger.verbs == ["lease", "commit", "commit", "commit"]
    assert ledger.effect()["status"] == "COMMITTED"


async def test_a_commit_that_hangs_is_given_up_after_a_while(task: Task) -> None:
    """Five seconds, less here: a cancelled program has to end."""
    begun, ended = anyio.Event(), []

    async def hang() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: finish(hang, seconds=0.01))
        await begun.wait()
        task.cancel()
    assert is_cancellation(task.outcome)
    assert ended == [True]


async def test_a_protects_commit_that_hangs_is_given_up_too(task: Task) -> None:
    """In the group of its lease."""
    begun = anyio.Event()

    async def hang() -> None:
        begun.set()
        await anyio.sleep_forever()

    async def idle(keeper: Any) -> None:
        await anyio.sleep_forever()

    async def run() -> None:
        async with background(idle) as keeper:
            await keeper.finish(hang, seconds=0.01)

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, run)
        await begun.wait()
        task.cancel()
    assert is_cancellation(task.outcome)


async def test_finish_gives_what_it_ran_and_raises_what_it_raised() -> None:
    """Without a group around it."""
    mine = ExceptionGroup("mine", [ValueError()])

    async def fail() -> None:
        raise mine

    assert await finish(receipt) == "receipt"
    with pytest.raises(ExceptionGroup) as caught:
        await finish(fail)
    assert caught.value is mine
