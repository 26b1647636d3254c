"""Walking in the sync flavour: one thread a walk, which ends with it, and holds nobody up."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any

import pytest

from quatrain._runtime import _sync
from quatrain._runtime._sync import SYSTEM_CLOCK, Ahead
from quatrain._sync.pages import Pages, pages
from quatrain.verity import VerityClient

from .._doubles import List
from ._clients import KEY
from ._server import Exchange, Server
from .test_pages_left import Ledger, effects

NAME = "quatrain-ahead"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def thread_of(walk: Pages[Any]) -> threading.Thread:
    worker = walk._ahead._worker
    assert worker is not None
    return worker.thread


def test_a_walk_of_one_page_starts_no_thread() -> None:
    """Nor does one without prefetch."""
    seen: list[threading.Thread] = []
    for _ in pages(List(3).fetch):
        seen += threads()
    for _ in pages(List(9).fetch, page_size=2, prefetch=False):
        seen += threads()
    assert seen == []


def test_one_daemon_thread_serves_a_walk_and_ends_with_its_last_page() -> None:
    """Whoever waits for the walk waits for no thread after that."""
    served = List(9)
    walk = pages(served.fetch, page_size=2)
    seen: set[threading.Thread] = set()
    for row in walk:
        seen.update(threads())
        if row < 8:
            assert thread_of(walk).daemon
    assert len(seen) == 1
    assert threads() == []


def test_a_thread_that_has_nothing_to_do_ends_with_the_walk() -> None:
    """Closed, or collected."""
    served = List(9)
    with pages(served.fetch, page_size=2) as walk:
        next(walk)
        job = walk._ahead._job
        assert job is not None
        job.ended.wait()
    assert threads() == []
    walk = pages(served.fetch, page_size=2)
    next(walk)
    thread = thread_of(walk)
    del walk
    thread.join()


@pytest.mark.parametrize("how", ["block", "break", "cycle"])
def test_a_request_under_way_holds_nobody_up_and_is_left_to_end(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A thread can't be stopped: it ends with the answer, which nobody gets."""
    monkeypatch.setattr(_sync.ahead, "JOIN", threading.TIMEOUT_MAX)
    served = List(9, held=(2,))
    walk = pages(served.fetch, page_size=2)
    for _ in walk:
        served.wait_asked(2)
        break
    thread = thread_of(walk)
    if how == "block":
        walk.close()
        assert list(walk) == []
    elif how == "cycle":
        holder: list[Any] = [walk]
        holder.append(holder)
        del holder
    del walk
    gc.collect()
    assert thread.is_alive()
    served.held[2].set()
    thread.join()
    assert served.asked == [(2, 0), (2, 2)]


def test_what_waits_to_try_again_is_called_off() -> None:
    """It sleeps on the system's clock, and wakes when its walk is left."""
    tries: list[int] = []
    waits = threading.Event()

    def fetch(_: int, offset: int) -> list[int]:
        while offset:
            tries.append(offset)
            waits.set()
            SYSTEM_CLOCK.sleep(3_600)
        return [0, 1]

    walk = pages(fetch, page_size=2)
    next(walk)
    waits.wait()
    thread = thread_of(walk)
    walk.close()
    thread.join()
    assert tries == [2]


def test_one_that_goes_on_after_it_was_called_off_ends_all_the_same() -> None:
    """Its thread takes no more calls."""
    waits = threading.Event()

    def fetch(_: int, offset: int) -> list[int]:
        if offset:
            waits.set()
            try:
                SYSTEM_CLOCK.sleep(3_600)
            except BaseException:
                return []
        return [0, 1]

    walk = pages(fetch, page_size=2)
    next(walk)
    waits.wait()
    thread = thread_of(walk)
    walk.close()
    thread.join()


def test_what_waits_to_try_again_waits_while_its_walk_goes_on() -> None:
    """Real time, and little of it."""
    tries: list[int] = []

    def fetch(_: int, offset: int) -> list[int]:
        while offset and len(tries) < 3:
            tries.append(offset)
            SYSTEM_CLOCK.sleep(0.001)
        return [] if offset else [0, 1]

    assert list(pages(fetch, page_size=2)) == [0, 1]
    assert tries == [2, 2, 2]


class Interrupting:
    """An event that Ctrl-C is pressed at."""

    def wait(self) -> None:
        raise KeyboardInterrupt

    def is_set(self) -> bool:
        return False


def test_interrupted_while_it_waits_for_a_page_the_walk_can_go_on() -> None:
    """The page is asked for again; the thread ends with the answer to the first request."""
    served = List(5, held=(2,))
    walk = pages(served.fetch, page_size=2)
    assert [next(walk), next(walk)] == [0, 1]
    served.wait_asked(2)
    job, thread = walk._ahead._job, thread_of(walk)
    assert job is not None
    job.ended = Interrupting()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        next(walk)
    held, served.held = served.held, {}
    assert list(walk) == [2, 3, 4]
    job.ended = threading.Event()
    held[2].set()
    thread.join()
    assert served.asked == [(2, 0), (2, 2), (2, 2), (2, 4)]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_where_no_thread_can_be_had_pages_are_fetched_when_they_are_needed(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Nothing is lost but time; interrupted just then, nothing runs on."""
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if kind is KeyboardInterrupt:
            start(thread)
        raise kind("can't start new thread")

    served = List(5)
    walk = pages(served.fetch, page_size=2)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", fail)
        if kind is RuntimeError:
            assert next(walk) == 0
        else:
            with pytest.raises(KeyboardInterrupt):
                next(walk)
    for thread in threads():
        thread.join()
    assert list(walk) == [0, 1, 2, 3, 4][kind is RuntimeError :]
    assert served.asked == [(2, 0), (2, 2), (2, 4)]


def test_a_walk_that_its_own_fetch_holds_is_collected() -> None:
    """Its idle thread keeps neither."""

    class Holder:
        def fetch(self, _: int, offset: int) -> list[int]:
            return [offset, offset]

    holder: Any = Holder()
    holder.walk = pages(holder.fetch, page_size=2)
    next(holder.walk)
    job, thread = holder.walk._ahead._job, thread_of(holder.walk)
    job.ended.wait()
    del job, holder
    while thread.is_alive():  # its thread lets go of the call a moment after it has ended
        gc.collect()


def test_a_walk_may_be_collected_by_its_own_thread() -> None:
    """Wherever the collector happens to run, it waits for no lock."""
    holder: list[Any] = []
    let_go, collected = threading.Event(), threading.Event()

    def fetch(_: int, offset: int) -> list[int]:
        if offset:
            let_go.wait()
            gc.collect()
            collected.set()
        return [0, 1]

    walk = pages(fetch, page_size=2)
    next(walk)
    thread = thread_of(walk)
    holder += [walk, holder]
    del walk, holder
    let_go.set()
    thread.join()
    assert collected.is_set()


def test_two_threads_that_ask_at_once() -> None:
    """The second is refused, and the first gets its row."""
    served = List(5, held=(2,))
    walk = pages(served.fetch, page_size=2)
    assert [next(walk), next(walk)] == [0, 1]
    found: list[int] = []
    first = threading.Thread(target=lambda: found.append(next(walk)))
    first.start()
    while not walk._turning:
        pass
    with pytest.raises(RuntimeError, match="at once"):
        next(walk)
    served.held[2].set()
    first.join()
    assert found == [2]
    walk.close()


@pytest.mark.parametrize("rows", [0, 2])
def test_closed_while_another_thread_waits_for_a_page(rows: int) -> None:
    """Its loop ends with the request, whatever comes of that; it asks for nothing more."""
    served = List(9, held=(rows,))
    served.faults = {2: LookupError("nobody hears of it")}
    walk = pages(served.fetch, page_size=2)
    found: list[int] = []
    other = threading.Thread(target=lambda: found.extend(walk))
    other.start()
    served.wait_asked(1 + rows // 2)
    served.wait_until(lambda: walk._turning and not walk._rows)
    walk.close()
    served.held[rows].set()
    other.join()
    assert found == served.rows[:rows]
    assert len(served.asked) == 1 + rows // 2


@pytest.mark.parametrize("computed", [True, False])
def test_a_caller_that_computes_lets_its_request_leave_first(
    monkeypatch: pytest.MonkeyPatch, computed: bool
) -> None:
    """It would keep the interpreter to itself; one that waits lets it go by itself."""
    waited: list[float | None] = []
    used = iter([0.0, 1.0 if computed else 0.0])
    ahead = Ahead[int]()

    class Watched(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return super().wait()

    monkeypatch.setattr(_sync.ahead.time, "thread_time", lambda: next(used))
    ahead.start(int, "1")
    assert ahead.result() == 1
    with monkeypatch.context() as patch:
        patch.setattr(_sync.ahead.threading, "Event", Watched)
        ahead.start(int, "2")
    assert waited == ([_sync.ahead.HEAD_START] if computed else [])
    assert ahead.result() == 2
    ahead.close()


def test_asking_for_what_was_not_begun() -> None:
    """A mistake of whoever uses it."""
    with pytest.raises(RuntimeError, match="nothing was begun"):
        Ahead[int]().result()


# -- connections ----------------------------------------------------------------------------------


def client_of(server: Server) -> VerityClient:
    return VerityClient(base_url=server.url, api_key=KEY, namespace="ns")


def test_a_request_that_is_left_to_end_leaves_its_connection_to_others() -> None:
    """Its answer has been read to the end: nobody is handed a half-read one."""
    held: list[Exchange] = []
    asked = threading.Event()

    def hold(exchange: Exchange) -> None:
        if "cursor=" in exchange.target and not held:
            held.append(exchange)
            asked.set()
        else:
            exchange.answer({"items": effects(0, 1), "nextCursor": "1"})

    with Server(hold) as server, client_of(server) as client:
        walk: Any = client.effects.iter(page_size=1, prefetch=True)
        next(walk)
        asked.wait()
        thread = thread_of(walk)
        walk.close()
        client.effects.list()  # needs a connection of its own
        assert server.connections == [1, 1, 2]
        server.loop.call_soon_threadsafe(
            held[0].answer, {"items": effects(1, 1), "nextCursor": None}
        )
        thread.join()
        client.effects.list()
        assert server.connections == [1, 1, 2, 1]


def test_a_client_that_is_closed_after_a_walk_was_left_leaves_nothing_open() -> None:
    """The connection of a request under way is closed when that ends."""
    ledger = Ledger()
    asked = threading.Event()

    def note(exchange: Exchange) -> None:
        ledger(exchange)
        if "cursor=" in exchange.target:
            asked.set()

    with Server(note) as server:
        with client_of(server) as client:
            walk: Any = client.effects.iter(page_size=2, prefetch=True)
            next(walk)
            asked.wait()
            thread = thread_of(walk)
            del walk
        answer = {"items": effects(2, 1), "nextCursor": None}
        server.loop.call_soon_threadsafe(server.exchanges[1].answer, answer)
        thread.join()
        server.settle()
        assert len(server.open) == 0


def test_a_request_that_nobody_asks_for_is_not_sent_again() -> None:
    """Although the server would like it to be, later."""
    refused = threading.Event()

    def refuse(exchange: Exchange) -> None:
        if "cursor=" in exchange.target:
            headers = ("content-type: application/json", "retry-after: 30")
            exchange.answer({"message": "later"}, status=503, headers=headers)
            refused.set()
        else:
            exchange.answer({"items": effects(0, 2), "nextCursor": "2"})

    with Server(refuse) as server, client_of(server) as client:
        walk: Any = client.effects.iter(page_size=2, prefetch=True)
        next(walk)
        refused.wait()
        thread = thread_of(walk)
        del walk
        thread.join()
    assert len(server.exchanges) == 2


# -- forks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["under way", "answered"])
def test_a_forked_child_asks_for_its_pages_itself(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The thread is its parent's; here another process id stands for the child."""
    served = List(5, held=(2,) if state == "under way" else ())
    walk = pages(served.fetch, page_size=2)
    assert next(walk) == 0
    served.wait_asked(2)
    thread, parent, held = thread_of(walk), os.getpid(), dict(served.held)
    with monkeypatch.context() as patch:
        patch.setattr(_sync.ahead.os, "getpid", lambda: parent + 1)
        served.held.clear()
        assert next(walk) == 1
        assert next(walk) == 2
        assert thread_of(walk) is not thread
        assert list(walk) == [3, 4]
    assert served.asked == [(2, 0), (2, 2), (2, 2), (2, 4)]
    for event in held.values():
        event.set()
