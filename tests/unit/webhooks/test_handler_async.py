"""The handler, awaited: functions of both kinds, on both loops, and what a cancellation leaves."""

from __future__ import annotations

import functools
import threading
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio.testing
from tests._doubles import AsyncManualClock

from quatrain.errors.velocity import (
    ConfigError,
)
from quatrain.webhooks import MemorySeen, WebhookHandler, flow

from ._handling import (
    FAILED,
    OK,
    PAYLOAD,
    REFUSED,
    Store,
    make,
    request,
    through,
)


async def test_async_functions_are_awaited_and_plain_ones_get_a_thread(
    handler: WebhookHandler,
) -> None:
    """In order, whatever they are."""
    calls: list[Any] = []
    here = threading.get_ident()

    class Callable:
        async def __call__(self, payload: Any) -> None:
            await note("object", payload)

    async def note(name: str, payload: Any) -> None:
        await anyio.lowlevel.checkpoint()
        calls.append((name, payload, threading.get_ident() == here))

    handler.on("tasks.created")(functools.partial(note, "partial"))
    handler.on("tasks.created")(lambda p: calls.append(("plain", p, threading.get_ident() == here)))
    handler.on("tasks.created")(Callable())
    handler.on("tasks.created")(lambda payload: note("lambda", payload))
    assert (OK, 200) == await handler.ahandle(*request())
    expected = [("partial", True), ("plain", False), ("object", True), ("lambda", True)]
    assert [(name, PAYLOAD, where) for name, where in expected] == calls


async def test_an_async_function_that_fails(handler: WebhookHandler) -> None:
    """Like any other."""

    @handler.on("tasks.created")
    async def fail(payload: Any) -> None:
        raise ValueError

    for _ in range(2):
        assert (FAILED, 500) == await handler.ahandle(*request())


def test_handle_runs_nothing_when_a_function_is_async(handler: WebhookHandler) -> None:
    """The error names it and the way out; other events are not concerned."""
    calls: list[Any] = []
    handler.on("*")(calls.append)

    @handler.on("tasks.created")
    async def remember(payload: Any) -> None: ...

    with pytest.raises(ConfigError, match=r"remember is async: await ahandle\(\)"):
        handler.handle(*request())
    assert [] == calls
    assert REFUSED == handler.handle({}, b"")
    assert 200 == handler.handle(*request(event="team.added"))[1]


def test_handle_says_so_when_a_function_turns_out_to_be_async(handler: WebhookHandler) -> None:
    """Nothing has been done then: the next delivery may run."""

    async def remember(payload: Any) -> None: ...

    handler.on("tasks.created")(lambda payload: [remember(payload)][0])
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"<lambda> is async: await ahandle\(\)"):
            handler.handle(*request())


async def test_a_cancelled_delivery_may_run_again(handler: WebhookHandler) -> None:
    """It is not known how far an async function came; what was claimed is given back."""
    calls: list[Any] = []

    @handler.on("tasks.created")
    async def wait(payload: Any) -> None:
        calls.append(payload)
        if len(calls) == 1:
            scope.cancel()
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await handler.ahandle(*request())
    assert scope.cancelled_caught
    assert (OK, 200) == await handler.ahandle(*request())
    assert 2 == len(calls)


async def test_what_a_thread_has_done_is_done_although_it_was_cancelled() -> None:
    """A thread can't be stopped: what it did must not be done again."""
    store = MemorySeen()
    handler = make(seen=store)
    entered, leave = anyio.Event(), threading.Event()
    calls: list[Any] = []

    @handler.on("*")
    async def nothing(event: Any) -> None: ...

    @handler.on("tasks.created")
    def work(payload: Any) -> None:
        anyio.from_thread.run_sync(entered.set)
        leave.wait()
        calls.append(payload)

    async with anyio.create_task_group() as group:
        group.start_soon(handler.ahandle, *request())
        await entered.wait()
        group.cancel_scope.cancel()
        leave.set()
    assert "handled" == store.begin("d1")
    assert (OK, 200) == await handler.ahandle(*request())
    assert [PAYLOAD] == calls


async def test_functions_after_the_one_that_was_cancelled_do_not_run() -> None:
    """And so the whole delivery runs again."""
    handler = make()
    entered, leave = anyio.Event(), threading.Event()
    calls: list[Any] = []

    @handler.on("tasks.created")
    def work(payload: Any) -> None:
        calls.append("first")
        if len(calls) == 1:
            anyio.from_thread.run_sync(entered.set)
            leave.wait()

    handler.on("tasks.created")(lambda payload: calls.append("second"))
    async with anyio.create_task_group() as group:
        group.start_soon(handler.ahandle, *request())
        await entered.wait()
        group.cancel_scope.cancel()
        leave.set()
    assert ["first"] == calls
    assert (OK, 200) == await handler.ahandle(*request())
    assert ["first", "first", "second"] == calls


async def test_a_claim_is_given_back_by_who_was_cancelled_while_asking() -> None:
    """The store had said yes to somebody who is no longer there."""
    entered, leave = anyio.Event(), threading.Event()

    class Slow(MemorySeen):
        def begin(self, delivery_id: str) -> Any:
            answer = super().begin(delivery_id)
            if not entered.is_set():
                anyio.from_thread.run_sync(entered.set)
                leave.wait()
            return answer

    handler, calls = make(seen=Slow()), []
    handler.on("tasks.created")(calls.append)
    async with anyio.create_task_group() as group:
        group.start_soon(handler.ahandle, *request())
        await entered.wait()
        group.cancel_scope.cancel()
        leave.set()
    assert [] == calls
    assert (OK, 200) == await handler.ahandle(*request())
    assert [PAYLOAD] == calls


def test_a_delivery_that_is_thrown_away_may_run_again() -> None:
    """A coroutine that is closed can await nothing; its claim is given back all the same."""
    store = Store("new")
    handler = make(seen=store)

    class Forever:
        def __await__(self) -> Any:
            yield

    @handler.on("tasks.created")
    async def work(payload: Any) -> None:
        await Forever()

    steps = handler._steps(*request(), AsyncManualClock().now, plain=False)
    next(steps)()  # past the store, which would need a loop for its thread
    coroutine = flow.adrive(steps, AsyncManualClock())
    coroutine.send(None)
    coroutine.close()
    assert [False] == store.told


@pytest.mark.parametrize("driver", ["handle", "ahandle"])
async def test_a_function_that_ends_like_a_generator_may_run_again(driver: str) -> None:
    """What it raises closes generators, and the one that has a claim to give back is one."""
    handler, calls = make(), []

    @handler.on("tasks.created")
    def work(payload: Any) -> None:
        calls.append(payload)
        if len(calls) == 1:
            raise GeneratorExit

    deliver = through(handler, driver)
    with pytest.raises(GeneratorExit):
        await deliver(*request())
    assert (OK, 200) == await deliver(*request())
    assert [PAYLOAD, PAYLOAD] == calls


def test_a_claim_is_given_back_without_a_thread() -> None:
    """All are busy with functions that end later than a cancelled caller may wait."""
    handler, leave = make(), threading.Event()

    async def main() -> str:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        working = anyio.Event()

        @handler.on("tasks.created")
        async def work(payload: Any) -> None:
            working.set()
            await anyio.sleep_forever()

        async with anyio.create_task_group() as busy:
            async with anyio.create_task_group() as cancelled:
                cancelled.start_soon(handler.ahandle, *request())
                await working.wait()
                busy.start_soon(anyio.to_thread.run_sync, leave.wait)
                await anyio.wait_all_tasks_blocked()
                cancelled.cancel_scope.cancel()
            state = handler._seen.begin("d1")
            leave.set()
        return state

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert "new" == anyio.run(main, backend="trio", backend_options={"clock": clock})
