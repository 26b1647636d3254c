"""A plain function in the async client: a thread, which nobody can cancel."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from quatrain.verity import (
    AsyncVerityClient,
)

from .._doubles import BASE_URL, KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger
from ._tasks import BlockingAct, Task, is_cancellation, never, receipt


async def test_a_plain_act_runs_in_a_thread_and_is_renewed(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """It does not stop the loop."""
    act = BlockingAct()
    results: list[Any] = []

    async def run() -> None:
        results.append(await verity.protect("k", act=act))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await act.has_begun()
        await clock.advance(100)
        act.let_go.set()
    assert results == ["receipt"]
    assert act.thread is not threading.current_thread()
    assert ledger.verbs == ["lease", *["renew"] * 5, "commit"]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_plain_act_is_renewed_until_it_ends_and_then_committed(
    verity: AsyncVerityClient,
    ledger: FakeLedger,
    clock: AsyncManualClock,
    task: Task,
    times: int,
) -> None:
    """A thread can't be stopped: what it did is recorded, and then the cancellation goes on."""
    act = BlockingAct()
    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=act))
        await act.has_begun()
        for _ in range(times):
            task.cancel()
            await anyio.wait_all_tasks_blocked()
        await clock.advance(100)
        assert not task.ended.is_set()
        act.let_go.set()
    assert is_cancellation(task.outcome)
    assert ledger.verbs == ["lease", *["renew"] * 5, "commit"]
    assert ledger.effect()["value"] == "receipt"


async def test_a_plain_act_that_fails_after_that_is_recorded_as_failed(
    verity: AsyncVerityClient, ledger: FakeLedger, task: Task
) -> None:
    """And then the cancellation goes on."""
    act = BlockingAct(ValueError("mine"))
    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=act))
        await act.has_begun()
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        act.let_go.set()
    assert is_cancellation(task.outcome)
    assert ledger.verbs == ["lease", "fail"]


@pytest.mark.parametrize("found", [None, ValueError("mine")], ids=["miss", "failure"])
async def test_cancelled_while_a_plain_observe_runs_it_does_not_go_on_to_act(
    verity: AsyncVerityClient, ledger: FakeLedger, task: Task, found: Any
) -> None:
    """The cancellation had to wait; it must not be forgotten."""
    ledger.expire()
    observe = BlockingAct(found)
    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=never, observe=observe))
        await observe.has_begun()
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        observe.let_go.set()
    assert is_cancellation(task.outcome)
    assert ledger.verbs == ["lease"]


async def test_a_lambda_may_make_a_coroutine(verity: AsyncVerityClient) -> None:
    """It is awaited on the loop."""
    threads: list[Any] = []

    async def act() -> str:
        threads.append(threading.current_thread())
        return "receipt"

    assert await verity.protect("k", act=lambda: act()) == "receipt"  # noqa: PLW0108
    assert threads == [threading.current_thread()]


async def test_a_coroutine_that_is_not_awaited_any_more_is_closed(
    verity: AsyncVerityClient, ledger: FakeLedger, task: Task
) -> None:
    """Cancelled while the lambda made it: no warning comes on top."""
    act = BlockingAct(receipt())
    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=act))
        await act.has_begun()
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        act.let_go.set()
    assert is_cancellation(task.outcome)
    assert act.result.cr_frame is None
    assert ledger.verbs == ["lease"]


def test_a_cancelled_error_of_acts_own_is_not_a_failure() -> None:
    """A plain act that ran a loop of its own, which was cancelled."""
    clock = AsyncManualClock()
    ledger = FakeLedger(clock)

    def act() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        async with httpx.AsyncClient(transport=AsyncLedgerTransport(ledger)) as http:
            await AsyncVerityClient(
                base_url=BASE_URL, api_key=KEY, namespace="ns", http_client=http, clock=clock
            ).protect("k", act=act)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert ledger.verbs == ["lease"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_an_interruption_from_a_thread_records_nothing(
    verity: AsyncVerityClient, ledger: FakeLedger, kind: type[BaseException]
) -> None:
    """And comes out as it is."""

    def act() -> None:
        raise kind

    with pytest.raises(kind):
        await verity.protect("k", act=act)
    assert ledger.verbs == ["lease"]
