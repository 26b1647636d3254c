"""The handler: what it answers, which functions run, and that each delivery runs once."""

from __future__ import annotations

import contextlib
import email.message
import functools
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import pytest
import trio.testing
from tests._doubles import AsyncManualClock, ManualClock

from quatrain._runtime import _sync
from quatrain._secret import Secret
from quatrain.errors import QuatrainError, WebhookError
from quatrain.errors.velocity import (
    ConfigError,
    InputError,
    WebhookPayloadError,
    WebhookSignatureError,
)
from quatrain.webhooks import MemorySeen, WebhookEvent, WebhookHandler, delivery, flow, sign

SECRET = "whsec_of_a_test"
NOW = 1_700_000_000
PAYLOAD = {"action": "Call Ann", "module_source": "M1"}
OK = {"ok": True, "event_type": "tasks.created", "delivery_id": "d1"}
FAILED = {
    "ok": False,
    "error": "handler failed",
    "event_type": "tasks.created",
    "delivery_id": "d1",
}
BUSY = {**FAILED, "error": "delivery in progress"}
REFUSED = ({"ok": False, "error": "invalid signature"}, 401)

Deliver = Callable[..., Awaitable[tuple[dict[str, Any], int]]]


def make(**settings: Any) -> WebhookHandler:
    usual = {
        "secret": SECRET,
        "now": lambda: NOW,
        "clock": ManualClock(),
        "async_clock": AsyncManualClock(),
    }
    return WebhookHandler(**(usual | settings))


def request(payload: Any = PAYLOAD, event: str = "tasks.created", delivery_id: str = "d1"):
    return delivery(SECRET, event, payload, delivery_id=delivery_id, timestamp=NOW)


def signed(body: bytes) -> tuple[dict[str, str], bytes]:
    """A request with any body."""
    headers, _ = request()
    return {**headers, "X-VOS-Signature": sign(SECRET, body, timestamp=NOW)}, body


@pytest.fixture
def handler() -> WebhookHandler:
    return make()


@pytest.fixture(params=["handle", "ahandle"])
def deliver(request: pytest.FixtureRequest, handler: WebhookHandler) -> Deliver:
    """Both drivers; the tests run on asyncio and trio."""
    return through(handler, request.param)


def through(handler: WebhookHandler, driver: str) -> Deliver:
    if driver == "ahandle":
        return handler.ahandle

    async def handle(*request: Any) -> tuple[dict[str, Any], int]:
        return handler.handle(*request)

    return handle


# -- answers --------------------------------------------------------------------------------------


async def test_a_delivery_is_given_to_its_functions(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """The catch-alls first, then the event's own, in the order of their registration."""
    calls: list[Any] = []
    for name in ("one", "two"):
        handler.on("tasks.created")(lambda payload, name=name: calls.append((name, payload)))
    handler.on("*")(lambda event: calls.append(("all", event)))
    handler.on("team.added")(calls.append)
    assert (OK, 200) == await deliver(*request())
    everything = {"event_type": "tasks.created", "delivery_id": "d1", "payload": PAYLOAD}
    assert [("all", everything), ("one", PAYLOAD), ("two", PAYLOAD)] == calls


async def test_an_unknown_event_is_answered_well(handler: WebhookHandler, deliver: Deliver) -> None:
    """The platform may learn new ones; only the catch-all hears of it."""
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    handler.on("*")(calls.append)
    answer = await deliver(*request({}, "moon.risen"))
    assert ({"ok": True, "event_type": "moon.risen", "delivery_id": "d1"}, 200) == answer
    assert ["moon.risen"] == [call["event_type"] for call in calls]


async def test_an_event_that_calls_itself_a_star_is_no_catch_all(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """The catch-alls run once, and get what they always get."""
    calls: list[Any] = []
    handler.on("*")(calls.append)
    await deliver(*request(event="*"))
    assert [{"event_type": "*", "delivery_id": "d1", "payload": PAYLOAD}] == calls


async def test_a_bad_signature_is_refused_before_all_else(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """Whatever the body is, nothing runs and nothing is remembered."""
    calls: list[Any] = []
    handler.on("*")(calls.append)
    headers, body = request()
    for wrong in (
        {**headers, "X-VOS-Signature": sign("another", body, timestamp=NOW)},
        {**headers, "X-VOS-Signature": sign(SECRET, body, timestamp=NOW - 301)},
        {name: value for name, value in headers.items() if name != "X-VOS-Signature"},
    ):
        assert REFUSED == await deliver(wrong, body)
    assert REFUSED == await deliver(headers, body + b" ")
    assert REFUSED == await deliver(headers, b"no json")
    assert [] == calls
    assert (OK, 200) == await deliver(headers, body)
    assert 1 == len(calls)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b" ",
        b"NaN",
        b'{"x":Infinity}',
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        '{"x":1}'.encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 5_000,
    ],
    ids=range(12),
)
async def test_a_body_that_is_not_json(
    handler: WebhookHandler, deliver: Deliver, body: bytes
) -> None:
    """Is answered so; nothing runs and nothing is raised."""
    calls: list[Any] = []
    handler.on("*")(calls.append)
    answer = {"ok": False, "error": "invalid json body"}, 400
    assert (answer, []) == (await deliver(*signed(body)), calls)


@pytest.mark.parametrize(
    ("body", "payload"),
    [(b"", {}), (b"[1]", [1]), (b"null", None), (b'"x"', "x"), (b"1e2", 100.0), (b"{}", {})],
)
async def test_a_body_that_is_no_object(
    handler: WebhookHandler, deliver: Deliver, body: bytes, payload: Any
) -> None:
    """Is passed on as it is; an empty one is an empty object."""
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    assert (OK, 200) == await deliver(*signed(body))
    assert [payload] == calls


async def test_a_body_that_is_too_large(handler: WebhookHandler, deliver: Deliver) -> None:
    """Is refused before it is hashed, so whether it was signed is not known."""
    handler.max_body_bytes = 10
    answer = {"ok": False, "error": "body too large"}, 413
    for headers in (signed(b" " * 11)[0], {}):
        assert answer == await deliver(headers, b" " * 11)
    assert 400 == (await deliver(*signed(b" " * 10)))[1]


async def test_the_default_limit_is_a_mebibyte(deliver: Deliver) -> None:
    """Which no payload of the contract comes near."""
    assert 200 == (await deliver(*signed(b'"' + b"x" * (2**20 - 2) + b'"')))[1]
    assert 413 == (await deliver({}, bytes(2**20 + 1)))[1]


async def test_a_released_view_is_a_mistake_of_the_program(deliver: Deliver) -> None:
    """There are no bytes behind it any more."""
    view = memoryview(b"{}")
    view.release()
    with pytest.raises(InputError, match="the raw bytes of the request"):
        await deliver({}, view)


@pytest.mark.parametrize("body", ["{}", None, {"action": "x"}, 1, [1], object()])
async def test_a_parsed_body_is_a_mistake_of_the_program(deliver: Deliver, body: Any) -> None:
    """The signature is of the raw bytes: the error says so."""
    with pytest.raises(InputError, match="the raw bytes of the request"):
        await deliver(request()[0], body)


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview])
async def test_raw_bytes_of_any_kind(deliver: Deliver, convert: Callable[[bytes], Any]) -> None:
    """As servers hand them over."""
    headers, body = request()
    assert (OK, 200) == await deliver(headers, convert(body))


# -- headers --------------------------------------------------------------------------------------


class OnlyGet:
    """Case-insensitive, and not to be listed."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def get(self, name: str) -> str | None:
        return self._headers.get(name.lower())


class OnlyLower(OnlyGet):
    """Knows lower-case names only."""

    def get(self, name: str) -> str | None:
        return self._headers.get(name)


def message(headers: dict[str, str]) -> email.message.Message:
    made = email.message.Message()
    for name, value in headers.items():
        made[name] = value
    return made


@pytest.mark.parametrize(
    "convert",
    [
        dict,
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: {name.lower(): value for name, value in headers.items()},
        lambda headers: {name.encode(): value.encode() for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: [(n.lower().encode(), v.encode()) for n, v in headers.items()],
        lambda headers: iter(headers.items()),
        lambda headers: [*headers.items(), ("X-Other", "1"), ("X-Other", "2"), (None, 1), (), "x"],
        httpx.Headers,
        message,
        OnlyGet,
        OnlyLower,
    ],
    ids=range(12),
)
async def test_headers_of_any_kind(deliver: Deliver, convert: Callable[[Any], Any]) -> None:
    """Mappings, pairs, text, bytes, any case."""
    headers, body = request()
    assert (OK, 200) == await deliver(convert(headers), body)


class Broken:
    """Can't be read."""

    def items(self) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    "headers",
    [
        None,
        1,
        "X-VOS-Signature",
        b"x",
        [],
        [1],
        [()],
        [("a",)],
        {},
        {1: 2},
        Broken(),
        object(),
        dict,
    ],
    ids=repr,
)
async def test_headers_that_are_none(deliver: Deliver, headers: Any) -> None:
    """Nothing is signed, and nothing is raised."""
    assert REFUSED == await deliver(headers, b"{}")


@pytest.mark.parametrize(
    "value",
    [None, 1, b"\xff", "\ud800", ["a"], object(), "a" * 10**6, "\0", "\u0661"],
    ids=range(9),
)
async def test_header_values_of_any_kind(deliver: Deliver, value: Any) -> None:
    """A signature is refused; another header is as it is, or absent."""
    headers, body = request()
    assert REFUSED == await deliver({**headers, "X-VOS-Signature": value}, body)
    others = {"X-VOS-Event-Type": value, "X-VOS-Delivery-ID": value}
    answer, status = await deliver({**headers, **others}, body)
    assert 200 == status
    expected = value if isinstance(value, str) and value != "\ud800" else ""
    expected = "\xff" if value == b"\xff" else expected
    assert (expected, expected) == (answer["event_type"], answer["delivery_id"])
    json.dumps(answer, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", ["X-VOS-Signature", "X-VOS-Event-Type", "X-VOS-Delivery-ID"])
async def test_a_header_that_is_given_twice_is_absent(deliver: Deliver, name: str) -> None:
    """Readers would differ on which of them counts."""
    headers, body = request()
    answer, _ = await deliver([*headers.items(), (name.lower(), headers[name])], body)
    expected = {
        "X-VOS-Signature": REFUSED[0],
        "X-VOS-Event-Type": {**OK, "event_type": ""},
        "X-VOS-Delivery-ID": {**OK, "delivery_id": ""},
    }
    assert expected[name] == answer


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


class Store:
    """A store that answers what it is told to, and writes down what it is told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.told: list[bool] = []
        self.tell: Any = None

    def begin(self, delivery_id: str) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def finish(self, delivery_id: str, *, handled: bool) -> None:
        self.told.append(handled)
        if self.tell is not None:
            raise self.tell


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


# -- async ----------------------------------------------------------------------------------------


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


# -- registering, parsing, showing ----------------------------------------------------------------


def test_a_decorated_function_is_itself(handler: WebhookHandler) -> None:
    """It can be called and tested like any other."""

    def work(payload: Any) -> str:
        return "done"

    assert handler.on("tasks.created")(work) is work


def generator(payload: Any) -> Any:
    yield payload


async def async_generator(payload: Any) -> Any:
    yield payload


@pytest.mark.parametrize("thing", [None, 1, "tasks.created", generator, async_generator])
def test_what_would_not_run_is_not_registered(handler: WebhookHandler, thing: Any) -> None:
    """Found at once, not with the first delivery."""
    with pytest.raises(InputError, match=r"registers functions|yields"):
        handler.on("tasks.created")(thing)


@pytest.mark.parametrize("event", [print, "", None, 1])
def test_an_event_has_a_name(handler: WebhookHandler, event: Any) -> None:
    """A decorator without its parentheses is found out."""
    with pytest.raises(InputError, match=r'@handler\.on\("tasks\.created"\)'):
        handler.on(event)


def test_parsing_calls_nothing(handler: WebhookHandler) -> None:
    """It verifies and reads, as often as it is asked."""
    handler.on("*")(lambda event: 1 / 0)
    expected = WebhookEvent("tasks.created", "d1", PAYLOAD, NOW)
    assert [expected, expected] == [handler.parse(*request()) for _ in range(2)]
    assert WebhookEvent("", "", {}, NOW) == handler.parse(
        {"x-vos-signature": sign(SECRET, b"", timestamp=NOW)}, b""
    )


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        (({}, b"{}"), WebhookSignatureError, "missing, malformed, stale"),
        (signed(b"{"), WebhookPayloadError, "the body is not JSON: "),
        (signed(b"\xff"), WebhookPayloadError, "the body is not JSON: "),
        (({}, bytes(2**20 + 1)), WebhookPayloadError, "larger than 1048576 bytes"),
        (({}, "{}"), InputError, "raw bytes"),
    ],
)
def test_what_can_not_be_parsed(
    handler: WebhookHandler, parts: Any, error: type[QuatrainError], words: str
) -> None:
    """Each its own error, all of them of Velocity OS."""
    with pytest.raises(error, match=words) as caught:
        handler.parse(*parts)
    assert isinstance(caught.value, WebhookError) is (error is not InputError)


@pytest.mark.parametrize(
    "secret",
    ["", None, b"whsec", 1, [], ["", SECRET], [None], Secret(""), "\ud800", {}, Secret(None)],
)
def test_a_handler_needs_a_secret(secret: Any) -> None:
    """An unset variable is found when the program starts."""
    with pytest.raises(ConfigError, match="the webhook secret is missing or empty"):
        WebhookHandler(secret)


@pytest.mark.parametrize("secret", [["new", SECRET], (Secret(SECRET),), Secret(SECRET)])
def test_any_of_several_secrets_is_good(secret: Any) -> None:
    """While one replaces the other."""
    assert (OK, 200) == make(secret=secret).handle(*request())


def test_the_skew_is_the_handlers() -> None:
    """A slow queue before it may need more."""
    assert 401 == make(now=lambda: NOW + 301).handle(*request())[1]
    assert 200 == make(now=lambda: NOW + 301, max_skew_seconds=400).handle(*request())[1]


def test_what_a_function_holds_is_not_logged(
    handler: WebhookHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be bound to a key, or be an object that has one."""

    def charge(key: str, payload: Any) -> None:
        raise RuntimeError("declined")

    class Charger(list[str]):
        def __call__(self, payload: Any) -> None:
            raise RuntimeError("declined")

    handler.on("one")(functools.partial(charge, "sk_hidden"))
    handler.on("two")(Charger(["sk_hidden"]))
    for event in ("one", "two"):
        assert 500 == handler.handle(*request(event=event, delivery_id=event))[1]
    assert "sk_hidden" not in caplog.text
    assert "charge failed on event 'one'" in caplog.text
    assert "Charger failed on event 'two'" in caplog.text


def test_a_handler_shows_no_secret(handler: WebhookHandler) -> None:
    """Neither itself nor in what it raises; a failing function's log has none either."""
    handler.on("tasks.created")(print)
    assert "WebhookHandler(events=['tasks.created'])" == repr(handler)
    assert SECRET not in repr(vars(handler))
    with contextlib.suppress(WebhookSignatureError):
        handler.parse({}, b"")
