"""Leaving a walk in the async flavour: whatever ends it, the request under way is called off."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from quatrain._async.pages import AsyncPages, pages
from quatrain._runtime import _async, _loops
from quatrain._runtime._async import Ahead
from quatrain.verity import AsyncVerityClient, VerityServerError

from .._doubles import AsyncList
from ._clients import KEY, AsyncQuickClock
from ._server import Exchange, Server
from ._tasks import Task, is_cancellation

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def served() -> AsyncList:
    """Five rows, and all pages but the first are held up."""
    return AsyncList(5, held=(2, 4))


def walk_of(served: AsyncList) -> AsyncPages[int]:
    return pages(served.fetch, page_size=2)


async def turns() -> None:
    """Until what is due has run; no time passes."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_breaking_off(served: AsyncList) -> None:
    """Nobody has the walk any more, and its request ends."""
    async for _ in walk_of(served):
        await served.wait_asked(2)
        break
    await turns()
    assert served.cancelled == [2]


async def test_an_error_in_the_loop(served: AsyncList) -> None:
    """It comes out as it is."""

    async def loop() -> None:
        async for _ in walk_of(served):
            await served.wait_asked(2)
            raise LookupError("own")

    with pytest.raises(LookupError, match="own"):
        await loop()
    await turns()
    assert served.cancelled == [2]


async def test_leaving_the_block(served: AsyncList) -> None:
    """The request has ended when the block has."""
    async with walk_of(served) as walk:
        assert await anext(walk) == 0
        await served.wait_asked(2)
    assert served.cancelled == [2]


async def test_a_walk_in_a_cycle(served: AsyncList) -> None:
    """The collector finds it."""
    walk = walk_of(served)
    holder: list[Any] = [walk]
    holder.append(holder)
    assert await anext(walk) == 0
    await served.wait_asked(2)
    del walk, holder
    gc.collect()
    await turns()
    assert served.cancelled == [2]


async def test_collected_in_another_thread(served: AsyncList) -> None:
    """The collector runs in any; the request ends on its own loop."""
    holder = [walk_of(served)]
    assert await anext(holder[0]) == 0
    await served.wait_asked(2)
    await anyio.to_thread.run_sync(holder.clear)
    await turns()
    assert served.cancelled == [2]


async def test_cancelled_while_it_waits_for_a_page(served: AsyncList, task: Task) -> None:
    """The request has ended before the cancellation goes on; the walk may go on too."""
    walk = walk_of(served)
    found: list[int] = []

    async def run() -> None:
        try:
            async for row in walk:
                found.append(row)  # noqa: PERF401 - it is left before its end
        finally:
            assert served.cancelled == [2]

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, run)
        await served.wait_asked(2)
        await turns()
        task.cancel()
    assert is_cancellation(task.outcome)
    assert (found, walk.offset) == ([0, 1], 2)
    for held in served.held.values():
        held.set()
    assert [row async for row in walk] == [2, 3, 4]
    assert served.asked == [(2, 0), (2, 2), (2, 2), (2, 4)]


async def test_cancelled_while_the_loop_works(served: AsyncList, task: Task) -> None:
    """With the walk in a block, the request has ended before the cancellation goes on."""

    async def run() -> None:
        try:
            async with walk_of(served) as walk:
                async for _ in walk:
                    await anyio.sleep_forever()
        finally:
            assert served.cancelled == [2]

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, run)
        await served.wait_asked(2)
        task.cancel()
    assert is_cancellation(task.outcome)


async def test_cancelled_while_the_first_page_comes(task: Task) -> None:
    """It is fetched by the caller itself."""
    served = AsyncList(5, held=(0,))

    async def run() -> None:
        async for _ in walk_of(served):
            pytest.fail("a row")

    async with anyio.create_task_group() as group:
        group.start_soon(task.run, run)
        await served.wait_asked(1)
        task.cancel()
    assert is_cancellation(task.outcome)
    assert served.cancelled == [0]


async def test_cancelled_while_the_next_page_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that have come are not lost."""
    monkeypatch.setattr(_async.ahead, "COMPUTES", -1.0)
    served = AsyncList(5, held=(2,))
    walk = walk_of(served)
    with anyio.CancelScope() as scope:

        async def fetch(limit: int, offset: int) -> list[int]:
            if offset == 2:
                scope.cancel()
            return await served.fetch(limit, offset)

        walk = pages(fetch, page_size=2)
        await anext(walk)
        pytest.fail("not cancelled")
    await turns()
    assert served.cancelled in ([2], [])  # it was called off while it ran, or before
    served.held[2].set()
    assert walk.offset == 0
    assert [row async for row in walk] == [0, 1, 2, 3, 4]


async def test_a_request_that_cleans_up_slowly_is_waited_for() -> None:
    """Its connection is closed when the block is left."""
    ended: list[int] = []
    begun = anyio.Event()

    async def fetch(_: int, offset: int) -> list[int]:
        if offset:
            try:
                begun.set()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await turns()
                ended.append(offset)
        return [0, 1]

    with anyio.CancelScope() as scope:
        async with pages(fetch, page_size=2) as walk:
            await anext(walk)
            await begun.wait()
            scope.cancel()
    assert ended == [2]


async def test_a_request_that_does_not_end_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes on by itself."""
    monkeypatch.setattr(_async.ahead, "CLOSING", 0.001)
    let_go = anyio.Event()
    begun, ended = anyio.Event(), anyio.Event()

    async def fetch(_: int, offset: int) -> list[int]:
        if offset:
            with anyio.CancelScope(shield=True):
                begun.set()
                await let_go.wait()
                ended.set()
        return [0, 1]

    async with pages(fetch, page_size=2) as walk:
        await anext(walk)
        await begun.wait()
    assert not ended.is_set()
    let_go.set()
    await ended.wait()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_coroutine_that_is_closed_while_it_waits(served: AsyncList) -> None:
    """Nothing can be awaited there, and nothing is."""
    walk = walk_of(served)
    assert [await anext(walk), await anext(walk)] == [0, 1]
    await served.wait_asked(2)
    waiting: Any = walk.__anext__()
    waiting.send(None)
    waiting.close()
    await turns()
    assert served.cancelled == [2]


async def test_two_that_ask_at_once(served: AsyncList) -> None:
    """The second is refused, and the first gets its row."""
    walk = walk_of(served)
    assert [await anext(walk), await anext(walk)] == [0, 1]
    found: list[int] = []

    async def ask() -> None:
        found.append(await anext(walk))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await turns()
        with pytest.raises(RuntimeError, match="at once"):
            await anext(walk)
        served.held[2].set()
    assert found == [2]
    await walk.aclose()


@pytest.mark.parametrize("rows", [0, 2])
async def test_closed_while_another_task_waits_for_a_page(rows: int) -> None:
    """Its loop ends; it asks for nothing more."""
    served = AsyncList(9, held=(rows,))
    walk = walk_of(served)
    found: list[int] = []

    async def loop() -> None:
        found.extend([row async for row in walk])

    async with anyio.create_task_group() as group:
        group.start_soon(loop)
        await served.wait_asked(1 + rows // 2)
        await turns()
        await walk.aclose()
        served.held[rows].set()
    assert found == served.rows[:rows]
    assert len(served.asked) == 1 + rows // 2


async def test_an_error_of_a_page_comes_bare() -> None:
    """In no group, also where the caller is in one."""
    served = AsyncList(5)
    served.faults = {2: LookupError("second")}
    walk = walk_of(served)
    async with anyio.create_task_group():
        assert [await anext(walk), await anext(walk)] == [0, 1]
        with pytest.raises(LookupError, match="second"):
            await anext(walk)


@pytest.mark.parametrize("computed", [True, False])
async def test_a_caller_that_computes_lets_its_request_leave_first(
    monkeypatch: pytest.MonkeyPatch, served: AsyncList, computed: bool
) -> None:
    """It would hold it up; one that waits lets it go by itself."""
    monkeypatch.setattr(_async.ahead.time, "thread_time", lambda: float(computed))
    walk = walk_of(served)
    await anext(walk)
    assert served.asked == [(2, 0), (2, 2)][: 1 + computed]
    await walk.aclose()


async def test_asking_for_what_was_not_begun() -> None:
    """A mistake of whoever uses it."""
    with pytest.raises(RuntimeError, match="nothing was begun"):
        await Ahead[int]().result()


# -- loops ----------------------------------------------------------------------------------------


@BACKENDS
def test_a_loop_that_ends_ends_the_request_and_another_takes_the_walk_up(backend: str) -> None:
    """In successive loops of both kinds."""
    served = AsyncList(5, held=(2,))
    walk = walk_of(served)
    rows: list[int] = []

    async def begin() -> None:
        rows.append(await anext(walk))
        await served.wait_asked(2)

    async def go_on() -> None:
        served.held.clear()
        rows.extend([row async for row in walk])

    anyio.run(begin, backend=backend)
    assert served.cancelled == [2]
    anyio.run(go_on, backend="trio" if backend == "asyncio" else "asyncio")
    assert rows == [0, 1, 2, 3, 4]


@BACKENDS
def test_a_walk_is_taken_to_another_loop_while_its_own_goes_on(backend: str) -> None:
    """Its request is called off on its own, and made anew on the other."""
    served = AsyncList(5, held=(2,))
    walk = walk_of(served)
    rows: list[int] = []

    async def go_on() -> None:
        held, served.held = served.held, {}
        rows.extend([row async for row in walk])
        served.held = held

    async def main() -> None:
        rows.append(await anext(walk))
        await served.wait_asked(2)
        thread = threading.Thread(target=lambda: anyio.run(go_on, backend="asyncio"))
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        await turns()
        assert served.cancelled == [2]

    anyio.run(main, backend=backend)
    assert rows == [0, 1, 2, 3, 4]


@BACKENDS
def test_a_walk_is_closed_on_another_loop(backend: str) -> None:
    """Its request is called off on its own."""
    served = AsyncList(5, held=(2,))
    walk = walk_of(served)

    async def main() -> None:
        await anext(walk)
        await served.wait_asked(2)
        thread = threading.Thread(target=lambda: anyio.run(walk.aclose, backend="asyncio"))
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        await turns()
        assert served.cancelled == [2]

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("how", ["wait_for", "timeout"])
def test_asyncios_own_timeouts_work(how: str) -> None:
    """They see their own cancellation, nothing is left of it, and the walk goes on."""
    served = AsyncList(5, held=(2,))

    async def main() -> list[int]:
        walk = walk_of(served)
        rows = [await anext(walk), await anext(walk)]

        async def run() -> None:
            if how == "wait_for":
                await asyncio.wait_for(anext(walk), 0.01)
            async with asyncio.timeout(0.01):
                await anext(walk)

        with pytest.raises(TimeoutError):
            await run()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        served.held[2].set()
        return rows + [row async for row in walk]

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
    assert served.cancelled == [2]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks() -> None:
    """A task that begins, and may end, while it is made."""
    served = AsyncList(7)
    factory: Any = getattr(asyncio, "eager_task_factory")  # noqa: B009 - unknown to 3.11

    async def main() -> list[int]:
        asyncio.get_running_loop().set_task_factory(factory)
        return [row async for row in walk_of(served)]

    assert asyncio.run(main()) == served.rows


def test_a_task_that_outlives_the_end_of_its_loop_gets_its_rows() -> None:
    """All tasks of a loop that ends are cancelled; one that does not heed it may go on."""
    served = AsyncList(5, held=(2,))
    rows: list[int] = []

    async def stubborn() -> None:
        walk = walk_of(served)
        while len(rows) < 5:
            try:
                async for row in walk:
                    rows.append(row)  # noqa: PERF401 - what came before counts
            except asyncio.CancelledError:
                served.held.clear()

    async def main() -> None:
        main.task = asyncio.create_task(stubborn())  # type: ignore[attr-defined]
        await served.wait_asked(2)
        await turns()

    asyncio.run(main())
    assert rows == [0, 1, 2, 3, 4]


# -- connections ----------------------------------------------------------------------------------


def effects(first: int, count: int) -> list[dict[str, Any]]:
    known = {"namespace": "ns", "status": "COMMITTED", "fenceToken": 1, "attempts": 1}
    times = dict.fromkeys(("createdAt", "updatedAt"), "2026-01-01T00:00:00.000Z")
    return [
        {"effectId": f"eff_{n}", "effectKey": f"k{n}"} | known | times
        for n in range(first, first + count)
    ]


class Ledger:
    """Answers the first page of effects, and none of the others until it is let go."""

    def __init__(self) -> None:
        self.let_go = False

    def __call__(self, exchange: Exchange) -> None:
        if "cursor=" not in exchange.target:
            exchange.answer({"items": effects(0, 2), "nextCursor": "2"})
        elif self.let_go:
            exchange.answer({"items": effects(2, 1), "nextCursor": None})


async def reach(server: Server, requests: int) -> None:
    while len(server.exchanges) < requests:
        await anyio.sleep(0.001)


async def test_a_walk_that_is_left_closes_its_connection_at_once() -> None:
    """The server sees it; later requests get connections of their own, and no slot is lost."""
    ledger = Ledger()
    with Server(ledger) as server:
        async with AsyncVerityClient(base_url=server.url, api_key=KEY, namespace="ns") as client:
            for number in range(1, 6):
                async for _ in client.effects.iter(page_size=2, prefetch=True):
                    await reach(server, 2 * number)
                    break
                while server.open:
                    await anyio.sleep(0.001)
            ledger.let_go = True
            walk = client.effects.iter(page_size=2, prefetch=True)
            assert [effect.effect_key async for effect in walk] == ["k0", "k1", "k2"]
    assert server.opened == 6


async def test_an_error_of_the_server_comes_in_its_turn() -> None:
    """Typed, after the rows before it."""

    def answer(exchange: Exchange) -> None:
        if "cursor=" in exchange.target:
            exchange.answer({"message": "out of order"}, status=503)
        else:
            exchange.answer({"items": effects(0, 2), "nextCursor": "2"})

    with Server(answer) as server:
        async with AsyncVerityClient(
            base_url=server.url, api_key=KEY, clock=AsyncQuickClock()
        ) as client:
            walk = client.effects.iter(page_size=2, prefetch=True)
            found = [(await anext(walk)).effect_key, (await anext(walk)).effect_key]
            with pytest.raises(VerityServerError, match="out of order"):
                await anext(walk)
    assert found == ["k0", "k1"]


def test_what_is_called_soon_on_a_loop_that_has_ended_is_not() -> None:
    """Nothing is left there that could be called off."""
    loop = asyncio.new_event_loop()
    loop.close()
    called: list[Callable[..., Any]] = []
    _loops.call_soon(loop, called.append, print)
    assert called == []
