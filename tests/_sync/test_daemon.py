# Generated from tests/_async/test_daemon.py by scripts/make_sync.py. Do not edit.
"""What runs beside everything, for no block, and how a loop is woken."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from quatrain._runtime._sync import Daemon, Keeper, background

from .._doubles import ManualClock
from .._reconciling import VendoDouble


class Loop:
    """A loop that waits a minute each time."""

    def __init__(self) -> None:
        self.turns = 0
        self.between: Callable[[], object] = list

    def __call__(self, keeper: Keeper) -> None:
        while not keeper.wait(60):
            self.turns += 1
            self.between()


@pytest.fixture
def vendo(clock: ManualClock) -> VendoDouble:
    return VendoDouble(clock)


def test_a_wait_ends_with_a_wake(clock: ManualClock, vendo: VendoDouble) -> None:
    """In the block's loop: that one wait, and no more."""
    loop = Loop()
    with background(loop, clock=clock) as keeper:
        clock.advance(0)
        keeper.wake()
        vendo.wait_until(lambda: loop.turns == 1)
        clock.advance(59)
        assert loop.turns == 1
        clock.advance(2)
        assert loop.turns == 2


def test_a_wake_between_two_waits_ends_the_next(clock: ManualClock, vendo: VendoDouble) -> None:
    """It is not lost."""
    loop = Loop()
    with background(loop, clock=clock) as keeper:
        clock.advance(0)
        loop.between = lambda: keeper.wake() if loop.turns == 1 else None
        keeper.wake()
        vendo.wait_until(lambda: loop.turns == 2)
        clock.advance(59)
        assert loop.turns == 2


def test_it_runs_until_it_is_closed(clock: ManualClock, vendo: VendoDouble) -> None:
    """Twice is fine; one that was never started can be, too."""
    loop = Loop()
    daemon = Daemon(loop, clock=clock)
    assert not daemon.running
    daemon.wake()
    daemon.close()
    daemon = Daemon(loop, clock=clock)
    daemon.start()
    assert daemon.running
    clock.advance(61)
    assert loop.turns == 1
    daemon.wake()
    vendo.wait_until(lambda: loop.turns == 2)
    daemon.close()
    daemon.close()
    assert not daemon.running
    daemon.wake()
    clock.advance(61)
    assert loop.turns == 2


def test_it_may_close_itself(
    clock: ManualClock, vendo: VendoDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its own end."""
    closed: list[Daemon] = []

    def close(keeper: Keeper) -> None:
        daemon.close()
        closed.append(daemon)
        keeper.wait(60)

    daemon = Daemon(close, clock=clock)
    daemon.start()
    vendo.wait_until(lambda: not daemon.running)


def test_its_failure_is_logged(
    clock: ManualClock, vendo: VendoDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for it."""
    caplog.set_level(logging.ERROR, "quatrain")

    def fail(keeper: Keeper) -> None:
        raise RuntimeError("a bug")

    daemon = Daemon(fail, clock=clock)
    daemon.start()
    vendo.wait_until(lambda: not daemon.running)
    assert caplog.messages == ["a background task failed"]
    daemon.close()
