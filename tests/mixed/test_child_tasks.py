"""Tasks below ``protect``: an action's own, and those that asyncio cancels when its loop ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import httpx
import pytest
import trio

from quatrain._runtime._core import Tenure
from quatrain.verity import AsyncVerityClient, LeaseLostError

from .._doubles import BASE_URL, KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger


def client_of(http: httpx.AsyncClient, clock: AsyncManualClock) -> AsyncVerityClient:
    return AsyncVerityClient(
        base_url=BASE_URL, api_key=KEY, namespace="ns", http_client=http, clock=clock
    )


def test_a_child_that_breaks_while_the_lease_is_lost_is_the_cause() -> None:
    """Trio puts it into a group with its own Cancelled; it is no failure of the action."""

    async def main() -> None:
        clock = AsyncManualClock()
        ledger = FakeLedger(clock)
        ledger.always["renew"] = 409

        async def break_when_cancelled() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("clean-up broke")

        async def act() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(break_when_cancelled)
                await clock.advance(20)
                await trio.sleep_forever()

        async with httpx.AsyncClient(transport=AsyncLedgerTransport(ledger)) as http:
            with pytest.raises(LeaseLostError) as caught:
                await client_of(http, clock).protect("k", act=act)
        assert isinstance(caught.value.__cause__, ExceptionGroup)
        assert "fail" not in ledger.verbs

    anyio.run(main, backend="trio")


class Ending:
    """A protect in a task of its own, in a loop that ends once *begun* is set."""

    def __init__(self) -> None:
        self.clock = AsyncManualClock()
        self.ledger = FakeLedger(self.clock)
        self.transport = AsyncLedgerTransport(self.ledger)
        self.release = threading.Event()
        self.tasks: list[asyncio.Task[Any]] = []

    async def main(self, act: Any, gated: str | None = None) -> None:
        http = httpx.AsyncClient(transport=self.transport)
        if gated is not None:
            self.transport.gates[gated] = anyio.Event()
        began = anyio.Event() if gated is None else self.transport.entered[gated]
        loop = asyncio.get_running_loop()
        self.began = lambda: loop.call_soon_threadsafe(began.set)
        protect = client_of(http, self.clock).protect("k", act=act)
        self.tasks = [asyncio.create_task(protect), asyncio.create_task(self.watch())]
        await began.wait()

    async def watch(self) -> None:
        """Let what was held up go on, but only once everything has been cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            self.release.set()
            for gate in self.transport.gates.values():
                gate.set()

    def outcome(self) -> Any:
        return "cancelled" if self.tasks[0].cancelled() else self.tasks[0].exception()


def test_a_plain_act_is_committed_when_the_loop_ends_under_it() -> None:
    """As it ends, asyncio cancels the task that waits for the thread as well."""
    ending = Ending()

    def act() -> str:
        ending.began()
        ending.release.wait()
        return "receipt"

    asyncio.run(ending.main(act))
    assert ending.outcome() == "cancelled"
    assert ending.ledger.effect()["status"] == "COMMITTED"
    assert ending.ledger.effect()["value"] == "receipt"


def test_it_is_renewed_until_then() -> None:
    """At once: the task that renews had been cancelled, too."""
    ending = Ending()

    def act() -> str:
        ending.began()
        ending.release.wait()
        renewed.wait(10)
        return "receipt"

    renewed = threading.Event()
    ending.ledger.faults["renew"].append(renewed.set)
    asyncio.run(ending.main(act))
    assert ending.ledger.verbs == ["lease", "renew", "commit"]


def test_a_commit_is_ended_when_the_loop_ends_under_it() -> None:
    """By sending it again: the ledger knows it for the same."""
    ending = Ending()

    async def act() -> str:
        return "receipt"

    asyncio.run(ending.main(act, gated="commit"))
    assert ending.outcome() == "cancelled"
    assert ending.ledger.effect()["status"] == "COMMITTED"


def test_what_is_known_of_the_deadline_only_grows() -> None:
    """The news of the grant may come after that of its first renewal."""
    tenure = Tenure(lambda: 0.0)
    known = []
    for deadline in (30.0, 50.0, 30.0):
        tenure._know(deadline)
        known.append(tenure.deadline)
    assert known == [30.0, 50.0, 50.0]
