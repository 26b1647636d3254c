"""What runs beside everything, for no block, and how a loop is woken."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import pytest

from quatrain._runtime._async import Daemon, Keeper, background

from .._doubles import AsyncManualClock
from .._reconciling import AsyncVendoDouble


class Loop:
    """A loop that waits a minute each time."""

    def __init__(self) -> None:
        self.turns = 0
        self.between: Callable[[], object] = list

    async def __call__(self, keeper: Keeper) -> None:
        while not await keeper.wait(60):
            self.turns += 1
            self.between()


@pytest.fixture
def vendo(clock: AsyncManualClock) -> AsyncVendoDouble:
    return AsyncVendoDouble(clock)


async def test_a_wait_ends_with_a_wake(clock: AsyncManualClock, vendo: AsyncVendoDouble) -> None:
    """In the block's loop: that one wait, and no more."""
    loop = Loop()
    async with background(loop, clock=clock) as keeper:
        await clock.advance(0)
        keeper.wake()
        await vendo.wait_until(lambda: loop.turns == 1)
        await clock.advance(59)
        assert loop.turns == 1
        await clock.advance(2)
        assert loop.turns == 2


async def test_a_wake_between_two_waits_ends_the_next(
    clock: AsyncManualClock, vendo: AsyncVendoDouble
) -> None:
    """It is not lost."""
    loop = Loop()
    async with background(loop, clock=clock) as keeper:
        await clock.advance(0)
        loop.between = lambda: keeper.wake() if loop.turns == 1 else None
        keeper.wake()
        await vendo.wait_until(lambda: loop.turns == 2)
        await clock.advance(59)
        assert loop.turns == 2


async def test_it_runs_until_it_is_closed(clock: AsyncManualClock, vendo: AsyncVendoDouble) -> None:
    """Twice is fine; one that was never started can be, too."""
    loop = Loop()
    daemon = Daemon(loop, clock=clock)
    assert not daemon.running
    daemon.wake()
    await daemon.aclose()
    daemon = Daemon(loop, clock=clock)
    await daemon.start()
    assert daemon.running
    await clock.advance(61)
    assert loop.turns == 1
    daemon.wake()
    await vendo.wait_until(lambda: loop.turns == 2)
    await daemon.aclose()
    await daemon.aclose()
    assert not daemon.running
    daemon.wake()
    await clock.advance(61)
    assert loop.turns == 2


async def test_it_may_close_itself(
    clock: AsyncManualClock, vendo: AsyncVendoDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its own end."""
    # async-only: begin
    monkeypatch.setattr("quatrain._runtime._async.daemon.CLOSING", math.inf)
    # async-only: end
    closed: list[Daemon] = []

    async def close(keeper: Keeper) -> None:
        await daemon.aclose()
        closed.append(daemon)
        await keeper.wait(60)

    daemon = Daemon(close, clock=clock)
    await daemon.start()
    await vendo.wait_until(lambda: not daemon.running)


async def test_its_failure_is_logged(
    clock: AsyncManualClock, vendo: AsyncVendoDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for it."""
    caplog.set_level(logging.ERROR, "quatrain")

    async def fail(keeper: Keeper) -> None:
        raise RuntimeError("a bug")

    daemon = Daemon(fail, clock=clock)
    await daemon.start()
    await vendo.wait_until(lambda: not daemon.running)
    assert caplog.messages == ["a background task failed"]
    await daemon.aclose()
