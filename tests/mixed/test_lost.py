"""A lease that is lost under a coroutine, and the loop beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from quatrain._runtime._async import SYSTEM_CLOCK, background
from quatrain._runtime._core import Lost
from quatrain.verity import (
    AsyncVerityClient,
    CommitRefusedError,
    CommitUncertainError,
    EffectContext,
    LeaseLostError,
)

from .._doubles import AsyncLedgerTransport, AsyncManualClock, FakeLedger
from ._tasks import Task, is_cancellation, receipt

Connect = Callable[..., AsyncVerityClient]


@pytest.mark.parametrize("status", [403, 404, 409, 410])
async def test_a_lost_lease_cancels_a_coroutine(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, status: int
) -> None:
    """The caller gets LeaseLostError, never a bare cancellation."""
    ledger.always["renew"] = status
    cancelled: list[bool] = []

    async def act() -> None:
        try:
            await clock.advance(20)
        except BaseException as exc:
            cancelled.append(is_cancellation(exc))
            raise

    with pytest.raises(LeaseLostError):
        await verity.protect("k", act=act)
    assert cancelled == [True]
    assert ledger.verbs == ["lease", "renew"]


async def test_a_lease_that_is_not_renewed_cancels_when_it_runs_out(
    connect: Connect, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """At its end, and not before."""
    reached: list[float] = []

    async def act() -> None:
        for _ in range(10):
            await clock.advance(4)
            reached.append(clock.time)

    with pytest.raises(LeaseLostError, match="ran out"):
        await connect(auto_renew=False).protect("k", act=act)
    assert reached[-1] == 1_028.0
    assert ledger.verbs == ["lease"]


async def test_what_breaks_while_it_is_being_cancelled_is_the_cause(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """The loss came first."""
    ledger.always["renew"] = 409

    async def act() -> None:
        try:
            await clock.advance(20)
        finally:
            raise ValueError("clean-up broke")

    with pytest.raises(LeaseLostError) as caught:
        await verity.protect("k", act=act)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "fail" not in ledger.verbs


@pytest.mark.parametrize("taken_over", [False, True])
async def test_an_act_that_ends_all_the_same_is_committed_if_nobody_else_began(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, taken_over: bool
) -> None:
    """A coroutine that took no notice, too: the fence decides."""
    ledger.always["renew"] = 410

    async def act() -> str:
        with anyio.CancelScope(shield=True):
            await clock.advance(20)
        if taken_over:
            ledger.take_over()
        return "receipt"

    if taken_over:
        with pytest.raises(CommitRefusedError) as caught:
            await verity.protect("k", act=act)
        assert caught.value.result == "receipt"
    else:
        assert await verity.protect("k", act=act) == "receipt"


@pytest.mark.parametrize("taken_over", [False, True])
async def test_a_plain_act_that_lost_its_lease_is_committed_if_nobody_else_began(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, taken_over: bool
) -> None:
    """It can't be cancelled; it learns through its context."""
    ledger.always["renew"] = 410
    seen: list[bool] = []
    begun, let_go = threading.Event(), threading.Event()

    def act(context: EffectContext) -> str:
        begun.set()
        let_go.wait()
        assert context.lease is not None
        seen.append(context.lease.lost.is_set())
        return "receipt"

    outcome: list[Any] = []

    async def run() -> None:
        try:
            outcome.append(await verity.protect("k", act=act))
        except CommitRefusedError as exc:
            outcome.append(exc.result)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.to_thread.run_sync(begun.wait)
        await clock.advance(20)
        if taken_over:
            ledger.take_over()
        let_go.set()
    assert seen == [True]
    assert outcome == ["receipt"]
    assert ledger.effect()["status"] == ("RUNNING" if taken_over else "COMMITTED")


async def test_an_outer_cancellation_stays_one_when_the_lease_is_lost_too(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, task: Task
) -> None:
    """Whoever cancels must get what was asked for: LeaseLostError would be taken for an end."""
    ledger.always["renew"] = 409
    begun = anyio.Event()

    async def act() -> None:
        begun.set()
        with anyio.CancelScope(shield=True):
            await clock.advance(20)
            task.cancel()
            await anyio.lowlevel.checkpoint()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, lambda: verity.protect("k", act=act))
        await task.ended.wait()
    assert is_cancellation(task.outcome)
    assert {"commit", "fail"} & set(ledger.verbs) == set()


async def test_the_deadline_itself_cancels_while_a_renewal_hangs(
    connect: Connect, transport: AsyncLedgerTransport, ledger: FakeLedger
) -> None:
    """Nobody confirmed it in time: real time, and very little of it."""
    transport.gates["renew"] = anyio.Event()
    ledger.clock.time = SYSTEM_CLOCK.now()
    verity = connect(clock=SYSTEM_CLOCK)
    with pytest.raises(LeaseLostError, match="ran out"):
        await verity.protect("k", act=anyio.sleep_forever, lease_duration_ms=30)
    assert ledger.verbs == ["lease"]


async def test_waiting_for_the_loss_ends_at_the_deadline() -> None:
    """Also when nobody looks, and nothing else wakes the waiter."""

    async def hang(keeper: Any) -> None:
        await anyio.sleep_forever()

    async with background(hang) as keeper:
        keeper.extend(SYSTEM_CLOCK.now() + 0.01)
        await keeper.event.wait()
        assert keeper.lost


# -- the background loop --------------------------------------------------------------------------


async def test_a_background_loop_that_breaks_loses_what_is_held() -> None:
    """Nothing is renewed any more, whatever the reason."""

    async def broken(keeper: Any) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(Lost, match="a bug"):
        async with background(broken) as keeper:
            await keeper.call(anyio.sleep_forever)


async def test_a_background_loop_that_ends_leaves_the_block_alone() -> None:
    """As a report does."""
    ended = anyio.Event()

    async def report(keeper: Any) -> None:
        ended.set()

    async with background(report) as keeper:
        await ended.wait()
        await anyio.wait_all_tasks_blocked()
        assert not keeper.lost


async def test_leaving_the_block_waits_for_what_lingers(connect: Connect) -> None:
    """Up to its time, and not at all when the block failed."""
    ended: list[bool] = []

    async def report(keeper: Any) -> None:
        await anyio.sleep(0.001)
        ended.append(True)

    async with background(report, linger=10):
        pass
    with pytest.raises(ValueError):
        async with background(report, linger=10):
            raise ValueError
    async with background(lambda keeper: anyio.sleep_forever(), linger=0.001):
        pass
    assert ended == [True]


async def test_the_block_s_own_exception_comes_out_bare() -> None:
    """Also a group."""
    mine = ExceptionGroup("mine", [ValueError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with background(lambda keeper: anyio.sleep_forever()):
            raise mine
    assert caught.value is mine


async def test_nothing_comes_wrapped_in_a_group(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Neither act's exception, nor the client's, from within a group of the caller's."""
    ledger.always["commit"] = 503
    caught: list[BaseException] = []

    async def run() -> None:
        try:
            await verity.protect("k", act=receipt)
        except BaseException as exc:
            caught.append(exc)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
    assert [type(exc) for exc in caught] == [CommitUncertainError]
