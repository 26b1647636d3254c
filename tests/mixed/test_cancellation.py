"""Cancelling the async client: what goes on, what is left, and what comes out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from quatrain._runtime._async import SYSTEM_CLOCK, background, finish
from quatrain._runtime._core import Lost
from quatrain.verity import (
    AsyncVerityClient,
    CommitRefusedError,
    CommitUncertainError,
    EffectContext,
    LeaseLostError,
)

from .._doubles import BASE_URL, KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger

Connect = Callable[..., AsyncVerityClient]


@pytest.fixture
def clock() -> AsyncManualClock:
    return AsyncManualClock()


@pytest.fixture
def ledger(clock: AsyncManualClock) -> FakeLedger:
    return FakeLedger(clock)


@pytest.fixture
def transport(ledger: FakeLedger) -> AsyncLedgerTransport:
    return AsyncLedgerTransport(ledger)


@pytest.fixture
async def connect(
    transport: AsyncLedgerTransport, clock: AsyncManualClock
) -> AsyncIterator[Connect]:
    async with httpx.AsyncClient(transport=transport) as http:
        usual = {"base_url": BASE_URL, "api_key": KEY, "namespace": "ns", "http_client": http}
        yield lambda **settings: AsyncVerityClient(**usual | {"clock": clock} | settings)


@pytest.fixture
def verity(connect: Connect) -> AsyncVerityClient:
    return connect()


class Task:
    """A call in a task of its own, on either backend: ``cancel()``, then ``outcome``."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.outcome: Any = None
        self._scope = anyio.CancelScope()
        self._task: asyncio.Task[Any] | None = None
        self.ended = anyio.Event()

    async def run(self, fn: Callable[..., Any], *args: Any) -> None:
        try:
            if self.how == "scope":
                with self._scope:
                    await self._record(fn, *args)
            else:
                self._task = asyncio.create_task(self._record(fn, *args))
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([self._task])
        finally:
            self.ended.set()

    async def _record(self, fn: Callable[..., Any], *args: Any) -> None:
        try:
            self.outcome = await fn(*args)
        except BaseException as exc:
            self.outcome = exc
            raise

    def cancel(self) -> None:
        if self._task is None:
            self._scope.cancel()
        else:
            self._task.cancel()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "task" in metafunc.fixturenames:
        ways = [("asyncio", "scope"), ("asyncio", "task"), ("trio", "scope")]
        metafunc.parametrize(("anyio_backend", "task"), ways, indirect=["task"])


@pytest.fixture
async def task(request: pytest.FixtureRequest) -> Task:
    return Task(request.param)


def is_cancellation(outcome: Any) -> bool:
    return type(outcome) is anyio.get_cancelled_exc_class()


async def receipt() -> str:
    return "receipt"


async def never() -> str:
    raise AssertionError("acted, and must not")


# -- a coroutine ----------------------------------------------------------------------------------


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


# -- a plain function in a thread -----------------------------------------------------------------


class BlockingAct:
    """Blocks its thread until it is let go."""

    def __init__(self, result: Any = "receipt") -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.result = result
        self.thread = threading.current_thread()

    def __call__(self) -> Any:
        self.thread = threading.current_thread()
        self.begun.set()
        self.let_go.wait()
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    async def has_begun(self) -> None:
        await anyio.to_thread.run_sync(self.begun.wait)


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


# -- lost -----------------------------------------------------------------------------------------


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
