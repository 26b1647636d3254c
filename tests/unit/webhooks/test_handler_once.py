"""The handler: each delivery runs once, whatever its store says, and however many come at once."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from tests._doubles import AsyncManualClock, ManualClock

from quatrain._runtime import _sync
from quatrain.webhooks import MemorySeen, WebhookHandler, delivery

from ._handling import (
    BUSY,
    FAILED,
    OK,
    PAYLOAD,
    REFUSED,
    SECRET,
    Deliver,
    Store,
    make,
    request,
    through,
)

# -- once -----------------------------------------------------------------------------------------


async def test_a_delivery_that_comes_again_is_answered_at_once(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """Nothing runs a second time; another delivery of the same event does."""
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    for _ in range(3):
        assert (OK, 200) == await deliver(*request())
    assert [PAYLOAD] == calls
    await deliver(*request(delivery_id="d2"))
    assert [PAYLOAD, PAYLOAD] == calls


async def test_without_a_delivery_id_everything_runs(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """There is nothing to know it by."""
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    headers, body = request()
    del headers["X-VOS-Delivery-ID"]
    for _ in range(2):
        assert ({**OK, "delivery_id": ""}, 200) == await deliver(headers, body)
    assert 2 == len(calls)


async def test_a_function_that_fails_lets_the_next_delivery_run(
    handler: WebhookHandler, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback, the others do not run, the platform is told to try again."""
    calls: list[Any] = []

    @handler.on("tasks.created")
    def first(payload: Any) -> None:
        calls.append("first")
        if len(calls) == 1:
            raise ValueError("not today")

    handler.on("tasks.created")(lambda payload: calls.append("second"))
    assert (FAILED, 500) == await deliver(*request())
    assert ["first"] == calls
    (record,) = caplog.records
    assert ("quatrain.webhooks", logging.ERROR) == (record.name, record.levelno)
    assert record.exc_info is not None
    assert "not today" == str(record.exc_info[1])
    assert record.getMessage().endswith("first failed on event 'tasks.created', delivery 'd1'")
    assert (OK, 200) == await deliver(*request())
    assert ["first", "first", "second"] == calls


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, RecursionError, OSError])
async def test_a_function_may_fail_in_any_way(
    handler: WebhookHandler, deliver: Deliver, error: type[Exception]
) -> None:
    """Exceptions that generators use for themselves, too."""

    @handler.on("tasks.created")
    def fail(payload: Any) -> None:
        raise error

    for _ in range(2):
        assert (FAILED, 500) == await deliver(*request())


def test_a_mistake_within_a_function_is_its_failure(handler: WebhookHandler) -> None:
    """An async callable given to another client's blocking half, say: that is not for ahandle."""

    async def act() -> None: ...

    handler.on("tasks.created")(lambda payload: _sync.call(act))
    assert (FAILED, 500) == handler.handle(*request())


async def test_the_log_repeats_no_line_breaks_of_others(
    handler: WebhookHandler, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    """The headers are not signed: anybody who replays a request writes what he likes there."""
    handler.on("*")(lambda event: 1 / 0)
    headers, body = request()
    await deliver({**headers, "X-VOS-Delivery-ID": "a\nERROR all is lost"}, body)
    assert ["\n" in message for message in caplog.messages] == [False]


class Interruption(BaseException):
    """Not an Exception: it is not the handler's to answer."""


async def test_an_interruption_goes_on_and_the_next_delivery_runs(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """Ctrl-C in a function: it is not known how far it came."""
    calls: list[Any] = []

    @handler.on("tasks.created")
    def interrupted(payload: Any) -> None:
        calls.append(payload)
        if len(calls) == 1:
            raise Interruption

    with pytest.raises(Interruption):
        await deliver(*request())
    assert (OK, 200) == await deliver(*request())
    assert 2 == len(calls)


# -- the store ------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["handle", "ahandle"])
@pytest.mark.parametrize(
    ("states", "expected", "ran"),
    [
        (["running", "running", "handled"], (OK, 200), 0),
        (["running", "running", "new"], (OK, 200), 1),
        (["running"], (BUSY, 503), 0),
    ],
)
async def test_a_duplicate_waits_for_the_one_that_runs(
    driver: str, states: list[str], expected: Any, ran: int
) -> None:
    """It has the answer when that has ended, and takes over when that has failed."""
    calls: list[Any] = []
    clocks = {"clock": ManualClock(), "async_clock": AsyncManualClock()}
    handler = make(seen=Store(*states), duplicate_wait=20, **clocks)
    handler.on("tasks.created")(calls.append)
    assert expected == await through(handler, driver)(*request())
    assert ran == len(calls)
    waited = clocks["clock" if driver == "handle" else "async_clock"].slept
    assert (20 if expected == (BUSY, 503) else 0.15) == pytest.approx(sum(waited))
    assert max(waited) <= 1


@pytest.mark.parametrize("driver", ["handle", "ahandle"])
async def test_a_store_that_fails_is_no_reason_to_run_twice(
    driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform tries again later; a person finds it in the log."""
    calls: list[Any] = []
    handler = make(seen=Store(OSError("disk full")))
    handler.on("tasks.created")(calls.append)
    answer = {**FAILED, "error": "the store of deliveries failed"}, 500
    assert answer == await through(handler, driver)(*request())
    assert ([], ["the store of deliveries failed on 'd1'"]) == (calls, caplog.messages)


@pytest.mark.parametrize("driver", ["handle", "ahandle"])
async def test_what_was_done_stays_done_when_it_can_not_be_recorded(
    driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another delivery would do it again: the answer is that it is done."""
    store = Store("new")
    store.tell = OSError("disk full")
    handler = make(seen=store)
    handler.on("tasks.created")(lambda payload: None)
    assert (OK, 200) == await through(handler, driver)(*request())
    assert ["what became of delivery 'd1' was not recorded"] == caplog.messages


@pytest.mark.parametrize("driver", ["handle", "ahandle"])
async def test_the_store_is_asked_for_nothing_when_nothing_runs(driver: str) -> None:
    """Nor for what is refused."""
    handler = make(seen=Store(AssertionError("asked")))
    handler.on("team.added")(print)
    assert (OK, 200) == await through(handler, driver)(*request())
    assert REFUSED == await through(handler, driver)({}, b"")


async def test_the_store_does_not_block_the_loop() -> None:
    """It may wait for a disk, or for another process."""
    threads: list[int] = []

    class Noted(MemorySeen):
        def begin(self, delivery_id: str) -> Any:
            threads.append(threading.get_ident())
            return super().begin(delivery_id)

        def finish(self, delivery_id: str, *, handled: bool) -> None:
            threads.append(threading.get_ident())
            super().finish(delivery_id, handled=handled)

    handler = make(seen=Noted())
    handler.on("*")(print)
    assert (OK, 200) == await handler.ahandle(*request())
    assert [False, False] == [thread == threading.get_ident() for thread in threads]


# -- at once --------------------------------------------------------------------------------------


def test_two_threads_with_one_delivery_run_it_once() -> None:
    """The second waits for the first, and both have its answer."""
    entered, leave, ended = threading.Event(), threading.Event(), threading.Event()
    calls: list[Any] = []

    class Clock(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            leave.set()
            ended.wait()

    handler = make(clock=Clock())

    @handler.on("tasks.created")
    def work(payload: Any) -> None:
        calls.append(payload)
        entered.set()
        leave.wait()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(handler.handle, *request())
        first.add_done_callback(lambda _: ended.set())
        entered.wait()
        second = pool.submit(handler.handle, *request())
        assert [(OK, 200)] * 2 == [first.result(), second.result()]
    assert [PAYLOAD] == calls


@pytest.mark.parametrize("fails", [False, True])
async def test_two_tasks_with_one_delivery_run_it_once(fails: bool) -> None:
    """When the first fails the second runs it, in the same request."""
    entered, leave, ended = anyio.Event(), anyio.Event(), anyio.Event()
    calls: list[Any] = []
    answers: dict[str, Any] = {}

    class Clock(AsyncManualClock):
        async def sleep(self, seconds: float) -> None:
            leave.set()
            await ended.wait()

    handler = make(async_clock=Clock())

    @handler.on("tasks.created")
    async def work(payload: Any) -> None:
        calls.append(payload)
        entered.set()
        await leave.wait()
        if fails and len(calls) == 1:
            raise ValueError

    async def run(name: str) -> None:
        answers[name] = await handler.ahandle(*request())
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run, "first")
        await entered.wait()
        group.start_soon(run, "second")
    assert {"first": (FAILED, 500) if fails else (OK, 200), "second": (OK, 200)} == answers
    assert (2 if fails else 1) == len(calls)


async def test_many_duplicates_at_once_run_it_once() -> None:
    """Tasks and threads, on the real clock."""
    handler = WebhookHandler(SECRET)
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    answers: list[Any] = []
    headers, body = delivery(SECRET, "tasks.created", PAYLOAD, delivery_id="d1")

    async def task() -> None:
        answers.append(await handler.ahandle(headers, body))

    async def thread() -> None:
        answers.append(await anyio.to_thread.run_sync(handler.handle, headers, body))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(task)
            group.start_soon(thread)
    assert [(OK, 200)] * 40 == answers
    assert [PAYLOAD] == calls
