"""Long leases on trio's virtual time: what the event loop itself has to end at a deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from quatrain._runtime._async import Clock
from quatrain.verity import AsyncVerityClient, EffectContext, LeaseLostError

from .._doubles import BASE_URL, KEY, FakeLedger


class TrioClock(Clock):
    """The event loop's own time, on which nobody waits for real."""

    @property
    def time(self) -> float:
        return trio.current_time()

    def now(self) -> float:
        return trio.current_time()


class SlowTransport(httpx.AsyncBaseTransport):
    """Takes its time over each verb."""

    def __init__(self, ledger: FakeLedger, seconds: dict[str, float]) -> None:
        self.ledger = ledger
        self.seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(self.seconds.get(request.url.path.rpartition("/")[2], 0.0))
        return self.ledger.handle(request)


class Run:
    """One protect on virtual time, and what came of it."""

    def __init__(self, act: Callable[..., Awaitable[Any]], seconds: dict[str, float]) -> None:
        self.outcome: Any = None
        self.took = 0.0
        clock = TrioClock()
        self.ledger = FakeLedger(clock)  # type: ignore[arg-type]

        async def main() -> None:
            async with httpx.AsyncClient(transport=SlowTransport(self.ledger, seconds)) as http:
                verity = AsyncVerityClient(
                    base_url=BASE_URL, api_key=KEY, namespace="ns", http_client=http, clock=clock
                )
                began = trio.current_time()
                try:
                    self.outcome = await verity.protect("k", act=act)
                except LeaseLostError as exc:
                    self.outcome = exc
                self.took = trio.current_time() - began

        trio.run(main, clock=MockClock(autojump_threshold=0))


async def long() -> str:
    await trio.sleep(1_000)
    return "receipt"


def test_a_long_action_keeps_its_lease() -> None:
    """Each renewal moves the deadline on."""
    run = Run(long, {"lease": 2.0, "renew": 3.0})
    assert run.outcome == "receipt"
    assert run.took == pytest.approx(1_002)
    assert run.ledger.verbs == ["lease", *["renew"] * 51, "commit"]


def test_a_renewal_that_hangs_does_not_keep_the_action_going() -> None:
    """It is cancelled at the last confirmed deadline, to the moment."""
    run = Run(long, {"renew": 10_000.0})
    assert isinstance(run.outcome, LeaseLostError)
    assert run.took == pytest.approx(30)
    assert run.ledger.verbs == ["lease"]


def test_the_deadline_is_that_of_the_last_renewal() -> None:
    """Not of the grant: the first is confirmed, the second hangs."""
    seconds = {"renew": 1.0}

    async def act() -> None:
        await trio.sleep(25)
        seconds["renew"] = 10_000.0
        await trio.sleep(1_000)

    run = Run(act, seconds)
    assert isinstance(run.outcome, LeaseLostError)
    assert run.took == pytest.approx(19.5 + 30)


def test_who_waits_for_the_loss_is_woken_at_the_deadline() -> None:
    """In the action itself, which may have work to end first."""
    woken: list[float] = []

    async def act(context: EffectContext) -> None:
        assert context.lease is not None
        with trio.CancelScope(shield=True):
            await context.lease.lost.wait()
            woken.append(trio.current_time())

    run = Run(act, {"renew": 10_000.0})
    assert woken == [pytest.approx(30)]
    assert run.took == pytest.approx(30)
