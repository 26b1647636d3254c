"""What both halves of the runtime share, and the shared timer."""

from __future__ import annotations

import functools
import gc
import inspect
import math
import threading
import weakref

import pytest

from quatrain._lease import idempotency_key
from quatrain._runtime import _async, _sync
from quatrain._runtime._core import Lost, Tenure, is_async_callable, steady_now, wants_argument
from quatrain._runtime._timer import Timer


class Callable:
    async def __call__(self) -> None: ...

    async def method(self) -> None: ...

    def plain(self, context) -> None: ...

    @staticmethod
    def static(context) -> None: ...

    @classmethod
    def of_class(cls, context) -> None: ...


async def coroutine() -> None: ...


async def generator():
    yield 1


def plain(context=None) -> None: ...


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (coroutine, True),
        (functools.partial(functools.partial(coroutine)), True),
        (Callable(), True),
        (Callable().method, True),
        (functools.partial(Callable().method), True),
        (plain, False),
        (lambda order=1: coroutine(), False),
        (functools.partial(plain), False),
        (generator, False),
        (print, False),
    ],
)
def test_what_certainly_gives_an_awaitable(fn, expected: bool) -> None:
    """Partials and callables are seen through; a lambda can't be."""
    assert is_async_callable(fn) is expected


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (lambda: 1, False),
        (lambda context: 1, True),
        (lambda context, /: 1, True),
        (lambda order=1: 1, False),
        (lambda context, order=1: 1, True),
        (lambda *args: 1, False),
        (lambda **options: 1, False),
        (functools.partial(lambda order, context: 1, "o"), True),
        (functools.partial(lambda order, context: 1, "o", "c"), False),
        (Callable().plain, True),
        (Callable.static, True),
        (Callable.of_class, True),
        (Callable(), False),
        (dict, False),
        (print, False),
        (int, False),
    ],
)
def test_what_is_to_be_given_its_context(fn, expected: bool) -> None:
    """One required positional parameter, no more and no less."""
    assert wants_argument(fn) is expected


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (5, "can't be called: 5"),
        (None, "can't be called: None"),
        (lambda one, two: 1, "needs one, two: "),
        (lambda one, *, option: 1, "needs one, option: "),
        (lambda *, option: 1, "needs option: "),
        (functools.partial(lambda order, context: 1, order="o"), "needs context: "),
    ],
)
def test_what_can_not_be_called(fn, words: str) -> None:
    """Neither with a context nor without."""
    with pytest.raises(TypeError, match=words):
        wants_argument(fn)


def test_the_halves_have_the_same_names() -> None:
    """So that the generator need only swap the module."""
    assert _async.__all__ == _sync.__all__


@pytest.mark.parametrize("name", ["Clock", "Keeper", "LoopLocal", "background"])
def test_the_halves_have_the_same_methods_with_the_same_parameters(name: str) -> None:
    """Less what only one can have, which nothing above uses."""
    alone = {"wait_for", "call_later", "leave_to_parent", "get_lost_event"}

    def shape(cls: type) -> dict:
        return {
            key.replace("__a", "__").replace("aclose", "close"): list(
                inspect.signature(value).parameters
            )
            for key, value in vars(cls).items()
            if callable(value) and key not in alone and not (key[0] == "_" != key[1])
        }

    assert shape(getattr(_async, name)) == shape(getattr(_sync, name))


class Clock:
    time = 100.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_tenure_is_held_until_its_deadline(clock: Clock) -> None:
    """Not a moment longer."""
    tenure = Tenure(clock.now)
    assert (tenure.lost, tenure.remaining, tenure.deadline) == (False, math.inf, math.inf)
    tenure._deadline = 130.0
    assert (tenure.lost, tenure.remaining) == (False, 30.0)
    clock.time = 129.9
    tenure.check()
    clock.time = 130.0
    assert (tenure.lost, tenure.remaining) == (True, 0.0)
    with pytest.raises(Lost, match="ran out"):
        tenure.check()


@pytest.mark.parametrize("half", [_async, _sync])
async def test_loss_latches(half, clock: Clock) -> None:
    """A renewal confirmed too late does not bring it back, even when nobody had looked."""
    keeper = half.Keeper(clock)
    keeper.extend(130.0)
    clock.time = 140.0
    keeper.extend(200.0)
    assert keeper.lost
    clock.time = 110.0  # nor does a clock that goes back
    assert keeper.lost
    assert keeper.event.is_set()


@pytest.mark.parametrize("half", [_async, _sync])
async def test_the_first_reason_stays(half, clock: Clock) -> None:
    """What comes after it is a consequence."""
    keeper = half.Keeper(clock)
    keeper.lose("refused")
    keeper.lose("something else")
    with pytest.raises(Lost, match="refused"):
        keeper.check()


def test_time_is_steady_and_counts_suspended_time() -> None:
    """CLOCK_BOOTTIME, where there is one."""
    first = steady_now()
    assert steady_now() >= first


def test_a_timer_calls_in_order_and_keeps_to_what_is_called_off() -> None:
    """However they were entered."""
    timer, called, done = Timer(), [], threading.Event()
    timer.call_later(0.02, lambda: called.append(2))
    timer.call_later(0.0, lambda: called.append(1))
    call_off = timer.call_later(0.01, lambda: called.append("no"))
    call_off()
    call_off()
    timer.call_later(0.03, done.set)
    assert done.wait(10)
    assert called == [1, 2]


def test_a_timer_survives_a_call_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The others still come, and the log says what happened."""
    timer, done = Timer(), threading.Event()
    timer.call_later(0.0, lambda: 1 / 0)
    timer.call_later(0.001, done.set)
    assert done.wait(10)
    assert caplog.messages == ["a timed call failed"]


def test_what_is_called_off_is_not_kept_alive() -> None:
    """Most leases end long before their first renewal."""
    timer = Timer()
    held = Clock()
    ref = weakref.ref(held)
    offs = [timer.call_later(3_600, held.now) for _ in range(1_000)]
    for off in offs:
        off()
    del held, offs, off
    gc.collect()
    assert ref() is None
    assert len(timer._heap) <= 65


def test_a_timers_thread_starts_with_its_first_call_and_is_named() -> None:
    """Making one costs nothing, and it keeps no program from ending."""
    timer = Timer()
    assert timer._thread is None
    timer.call_later(3_600, print)
    timer.call_later(3_600, print)
    assert timer._thread is not None
    assert timer._thread.name == "quatrain-timer"
    assert timer._thread.daemon


def test_the_idempotency_key_is_stable_and_distinct() -> None:
    """Pinned: another version of this package must make the same."""
    assert idempotency_key("ns", "k") == "effect-dcf34aba5a8a61e2cdf622e6729d12ce84848237"
    keys = {
        idempotency_key(*pair) for pair in [("a", "bc"), ("ab", "c"), ("1:a", "b"), ("", "abc")]
    }
    assert len(keys) == 4
