"""What only the sync flavour has: threads that renew, and a thread that can't be cancelled."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from quatrain import Client
from quatrain._runtime import _sync
from quatrain._runtime._core import Lost
from quatrain._runtime._sync import Keeper, background
from quatrain._runtime._timer import Timer
from quatrain.verity import (
    CommitRefusedError,
    EffectContext,
    LeaseLostError,
    VerityClient,
    VerityValidationError,
)

from .._doubles import BACKGROUND, BASE_URL, KEY, FakeLedger, LedgerTransport, ManualClock

Connect = Callable[..., VerityClient]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(clock: ManualClock) -> FakeLedger:
    return FakeLedger(clock)


@pytest.fixture
def transport(ledger: FakeLedger) -> LedgerTransport:
    return LedgerTransport(ledger)


@pytest.fixture
def connect(transport: LedgerTransport, clock: ManualClock) -> Iterator[Connect]:
    with httpx.Client(transport=transport) as http:
        usual = {"base_url": BASE_URL, "api_key": KEY, "namespace": "ns", "http_client": http}
        yield lambda **settings: VerityClient(**usual | {"clock": clock} | settings)


@pytest.fixture
def verity(connect: Connect) -> VerityClient:
    return connect()


def background_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == BACKGROUND]


def test_a_short_protect_starts_no_thread(
    verity: VerityClient, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first renewal is only entered with the timer, and called off."""
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    for number in range(100):
        verity.protect(f"k{number}", act=lambda: "receipt")
    assert started == []
    assert clock._due == []


def test_many_leases_share_one_timer(connect: Connect) -> None:
    """In real time: one thread for all, whatever their number."""
    verity = connect(clock=_sync.SYSTEM_CLOCK)

    def act() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    timers = verity.protect("first", act=act).count("quatrain-timer")  # other tests have theirs
    with ThreadPoolExecutor(20) as pool:
        names = list(pool.map(lambda n: verity.protect(f"k{n}", act=act), range(100)))
    assert {found.count("quatrain-timer") for found in names} == {timers}
    assert {found.count(BACKGROUND) for found in names} == {0}


def test_the_thread_that_renews_is_named_a_daemon_and_joined(
    verity: VerityClient, clock: ManualClock
) -> None:
    """It ends with its lease."""
    seen: list[threading.Thread] = []

    def act() -> None:
        assert background_threads() == []
        clock.advance(25)
        seen.extend(background_threads())

    verity.protect("k", act=act)
    assert [(thread.name, thread.daemon) for thread in seen] == [(BACKGROUND, True)]
    assert not seen[0].is_alive()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_thread_ends_however_the_block_does(
    verity: VerityClient, clock: ManualClock, kind: type[BaseException]
) -> None:
    """Also when it is interrupted."""

    def act() -> None:
        clock.advance(25)
        raise kind

    with pytest.raises(kind):
        verity.protect("k", act=act)
    assert background_threads() == []


def test_the_thread_ends_when_its_owner_is_dead(clock: ManualClock) -> None:
    """Nobody will ever leave the block: what it holds must not be held for ever."""
    renewed: list[float] = []
    kept: list[Any] = []

    def keep(keeper: Keeper) -> None:
        delay = 0.0
        while not keeper.wait(delay):
            renewed.append(clock.now())
            delay = 10.0

    def own() -> None:
        block = background(keep, after=5.0, clock=clock)
        block.__enter__()
        kept.append(block)
        clock.advance(16)

    owner = threading.Thread(target=own)
    owner.start()
    owner.join()
    (thread,) = background_threads()
    clock.advance(100)
    thread.join()
    assert renewed == [1_005.0, 1_015.0]


def test_an_exit_waits_for_a_renewal_under_way(
    verity: VerityClient, clock: ManualClock, transport: LedgerTransport, ledger: FakeLedger
) -> None:
    """A moment: its answer must not come after the commit's without anybody there."""
    transport.gates["renew"] = threading.Event()

    def act() -> str:
        clock.advance(20)
        assert transport.entered["renew"].is_set()
        transport.gates["renew"].set()
        return "receipt"

    assert verity.protect("k", act=act) == "receipt"
    assert background_threads() == []
    assert sorted(ledger.verbs) == ["commit", "lease", "renew"]


def test_an_exit_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
    verity: VerityClient,
    clock: ManualClock,
    transport: LedgerTransport,
) -> None:
    """A renewal that hangs is left to end by itself, with its request's time-out."""
    monkeypatch.setattr(_sync, "JOIN", 0.001)
    gate = transport.gates["renew"] = threading.Event()

    def act() -> str:
        clock.advance(20)
        return "receipt"

    assert verity.protect("k", act=act) == "receipt"
    (thread,) = background_threads()
    gate.set()
    thread.join()


def test_a_hanging_renewal_does_not_hide_the_deadline(
    verity: VerityClient, clock: ManualClock, transport: LedgerTransport, ledger: FakeLedger
) -> None:
    """Whoever looks sees it, and a renewal confirmed after that changes nothing."""
    gate = transport.gates["renew"] = threading.Event()
    seen: list[bool] = []

    def act(context: EffectContext) -> None:
        assert context.lease is not None
        clock.advance(20)
        seen.append(context.lease.lost.is_set())
        clock.jump(15)
        seen.append(context.lease.lost.is_set())
        ledger.effect()["until"] = clock.time + 30  # the ledger was late too, and will confirm it
        gate.set()
        clock.advance(0)
        seen.append(context.lease.lost.is_set())
        context.raise_if_lost()

    with pytest.raises(LeaseLostError, match="ran out"):
        verity.protect("k", act=act)
    assert seen == [False, True, True]


@pytest.mark.parametrize("taken_over", [False, True])
def test_what_ran_without_its_lease_is_committed_if_nobody_else_began(
    verity: VerityClient, clock: ManualClock, ledger: FakeLedger, taken_over: bool
) -> None:
    """The fence decides; the result is in the error."""
    ledger.always["renew"] = 410

    def act(context: EffectContext) -> str:
        assert context.lease is not None
        clock.advance(20)
        assert context.lease.lost.is_set()
        if taken_over:
            ledger.take_over()
        return "receipt"

    if taken_over:
        with pytest.raises(CommitRefusedError) as caught:
            verity.protect("k", act=act)
        assert caught.value.result == "receipt"
        assert caught.value.has_result is True
    else:
        assert verity.protect("k", act=act) == "receipt"


def test_waiting_for_the_loss_returns_when_it_comes(
    verity: VerityClient, clock: ManualClock, ledger: FakeLedger
) -> None:
    """From another thread, which watches over the action."""
    ledger.always["renew"] = 409
    watched = threading.Event()

    def act(context: EffectContext) -> None:
        assert context.lease is not None
        watcher = threading.Thread(target=lambda: (context.lease.lost.wait(), watched.set()))
        watcher.start()
        clock.advance(20)
        watcher.join()
        context.raise_if_lost()

    with pytest.raises(LeaseLostError):
        verity.protect("k", act=act)
    assert watched.is_set()


def test_waiting_for_the_loss_ends_at_the_deadline() -> None:
    """Also when nobody looks, and nothing else wakes the waiter: real time, and little of it."""
    keeper = Keeper(_sync.SYSTEM_CLOCK)
    keeper.extend(_sync.SYSTEM_CLOCK.now() + 0.005)
    keeper.event.wait()
    assert keeper.lost


@pytest.mark.parametrize("where", ["act", "observe"])
def test_an_async_function_is_refused(verity: VerityClient, ledger: FakeLedger, where: str) -> None:
    """Before any request, with a hint, and without a warning on top."""

    async def receipt() -> str:
        return "receipt"

    functions = {"act": lambda: "acted", where: receipt}
    with pytest.raises(VerityValidationError, match=f"{where} is async: use the async client"):
        verity.protect("k", **functions)
    assert ledger.verbs == []


def test_what_makes_a_coroutine_is_refused(verity: VerityClient, ledger: FakeLedger) -> None:
    """Only calling it shows: a failure, with a hint and without a warning on top."""

    async def receipt() -> str:
        return "receipt"

    with pytest.raises(TypeError, match="async client"):
        verity.protect("k", act=lambda: receipt())  # noqa: PLW0108 - a lambda can't be seen through
    assert ledger.effect()["value"]["name"] == "NotRunnable"


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, the package can start no thread, as where the process has too many."""

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    return lambda: monkeypatch.setattr("threading.Thread.start", fail)


def test_where_no_thread_can_renew_the_result_is_committed_all_the_same(
    verity: VerityClient, clock: ManualClock, ledger: FakeLedger, no_threads: Callable[[], None]
) -> None:
    """The lease runs out, but nobody else began."""

    def act() -> str:
        no_threads()
        with contextlib.suppress(RuntimeError):  # the timer logs it
            clock.advance(20)
        return "receipt"

    assert verity.protect("k", act=act) == "receipt"
    assert ledger.effect()["status"] == "COMMITTED"


def test_a_timer_that_could_not_start_starts_with_the_next_call(
    monkeypatch: pytest.MonkeyPatch, no_threads: Callable[[], None]
) -> None:
    """One moment without threads does not end all renewals of the process."""
    timer = Timer()
    no_threads()
    with pytest.raises(RuntimeError):
        timer.call_later(3_600, lambda: None)
    monkeypatch.undo()
    called = threading.Event()
    timer.call_later(0, called.set)
    assert called.wait(10)
    assert timer._heap == []


@pytest.mark.parametrize("after", [10.0, 0.0])
def test_where_the_block_is_not_entered_nothing_begins(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock, after: float
) -> None:
    """Interrupted just before it: nobody would ever end a renewal."""
    began: list[Keeper] = []
    ended: list[bool] = []

    def loop(keeper: Keeper) -> None:
        began.append(keeper)
        ended.append(keeper._alarm.wait(10))

    def interrupted(method: Callable[..., Any]) -> Callable[..., Any]:
        def then_interrupted(*args: Any) -> None:
            method(*args)
            raise KeyboardInterrupt

        return then_interrupted

    monkeypatch.setattr(clock, "call_later", interrupted(clock.call_later))
    monkeypatch.setattr(background, "_start", interrupted(background._start))
    with pytest.raises(KeyboardInterrupt), background(loop, after=after, clock=clock):
        pytest.fail("entered")
    monkeypatch.undo()
    if after:
        clock.advance(20)
        assert began == []
    else:
        for thread in background_threads():
            thread.join()
        assert ended == [True]


def test_interrupted_while_leaving_the_block_nothing_goes_on(clock: ManualClock) -> None:
    """A second Ctrl-C: what runs beside the block ends all the same."""
    ended: list[bool] = []

    def call_off() -> None:
        raise KeyboardInterrupt

    beside = background(lambda keeper: ended.append(keeper._alarm.wait(10)), clock=clock)
    with pytest.raises(KeyboardInterrupt), beside:
        beside._call_off = call_off
    for thread in background_threads():
        thread.join()
    assert ended == [True]


@pytest.mark.parametrize(("verb", "ended"), [("commit", "COMMITTED"), ("fail", "FAILED")])
def test_what_has_begun_is_ended_before_ctrl_c_goes_on(
    verity: VerityClient, ledger: FakeLedger, verb: str, ended: str
) -> None:
    """The request that was interrupted is sent again, once."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    def act() -> None:
        if verb == "fail":
            raise ValueError

    ledger.faults[verb].append(interrupt)
    with pytest.raises(KeyboardInterrupt):
        verity.protect("k", act=act)
    assert ledger.verbs == ["lease", verb, verb]
    assert ledger.effect()["status"] == ended


def test_a_background_loop_that_breaks_loses_what_is_held() -> None:
    """Whatever the reason."""

    def broken(keeper: Keeper) -> None:
        raise RuntimeError("a bug")

    with background(broken) as keeper:
        keeper.event.wait()
        with pytest.raises(Lost, match="a bug"):
            keeper.check()


def test_the_context_reaches_the_thread_that_renews(
    verity: VerityClient, clock: ManualClock, ledger: FakeLedger
) -> None:
    """Its spans and log lines belong to the effect's."""
    request_id = contextvars.ContextVar("request_id", default="none")
    request_id.set("r-1")
    seen: list[str] = []
    ledger.always["renew"] = lambda: seen.append(request_id.get())
    verity.protect("k", act=lambda: clock.advance(20))
    assert seen == ["r-1"]


def test_fifty_threads_protect_at_once(connect: Connect, ledger: FakeLedger) -> None:
    """Each gets its own effect's result."""
    verity = connect(clock=_sync.SYSTEM_CLOCK)

    def run(number: int) -> int:
        return verity.protect(f"own-{number}", act=lambda: number)

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(run, range(500))) == list(range(500))
    assert {effect["status"] for effect in ledger.effects.values()} == {"COMMITTED"}


def test_threads_that_touch_the_umbrella_at_once_get_the_same_client(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one made meanwhile is kept: its connections would not be closed otherwise."""
    found: list[VerityClient] = []

    def make() -> VerityClient:
        if not found:
            found.append(connect())
            found.append(q.verity)  # what another thread would do
        return connect()

    monkeypatch.setattr("quatrain._sync.client.VerityClient", make)
    with Client() as q:
        assert q.verity is found[1]
        assert q.verity is found[1]
