"""Stand-ins, in pairs where they differ by flavour: clocks, and a ledger behind a transport."""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import unquote

import anyio
import anyio.lowlevel
import httpx

from quatrain._runtime import _async as async_runtime
from quatrain._runtime import _sync as sync_runtime

PATIENCE = 2.5
"""Seconds: shorter sleeps (retries) pass at once, except while a test moves time on."""

KEY = "vt_test_double"
BASE_URL = "https://ledger.example/v1"
BACKGROUND = "quatrain-background"  # the name of the threads that renew


class _Time:
    def __init__(self) -> None:
        self.time = 1_000.0
        self.slept: list[float] = []
        self.advancing = 0

    def now(self) -> float:
        return self.time

    def passes(self, seconds: float) -> bool:
        """Whether a sleep passes at once, and then it has."""
        self.slept.append(seconds)
        if seconds <= 0 or (seconds <= PATIENCE and not self.advancing):
            self.time += max(0.0, seconds)
            return True
        return False


class AsyncManualClock(_Time, async_runtime.Clock):
    """Time that only a test moves on."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[tuple[float, int, anyio.Event]] = []
        self._numbers = itertools.count()

    async def sleep(self, seconds: float) -> None:
        if self.passes(seconds):
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        heapq.heappush(self._due, (self.time + seconds, next(self._numbers), woken))
        await woken.wait()

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each sleeper that is due, until everybody waits again."""
        until = self.time + seconds
        self.advancing += 1
        try:
            await _settle()
            while self._due and self._due[0][0] <= until:
                due, _, woken = heapq.heappop(self._due)
                self.time = max(self.time, due)
                woken.set()
                await _settle()
        finally:
            self.advancing -= 1
        self.time = max(self.time, until)

    def jump(self, seconds: float) -> None:
        """Move on while nothing runs: a stalled loop, a suspended machine."""
        self.time += seconds


async def _settle() -> None:
    """Until everybody waits again: more turns than any request here takes, and no time."""
    for _ in range(60):
        await anyio.lowlevel.checkpoint()


class ManualClock(_Time, sync_runtime.Clock):
    """Time that only a test moves on, for threads."""

    def __init__(self) -> None:
        super().__init__()
        self._change = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._waiting = 0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += max(0.0, seconds)

    def call_later(self, seconds: float, fn: Callable[[], None]) -> Callable[[], None]:
        entry = (self.time + seconds, next(self._numbers), fn)
        with self._change:
            heapq.heappush(self._due, entry)

        def call_off() -> None:
            with self._change:
                if entry in self._due:
                    self._due.remove(entry)
                    heapq.heapify(self._due)

        return call_off

    def wait_for(self, event: threading.Event, seconds: float) -> bool:
        if self.passes(seconds):
            return event.is_set()
        passed = threading.Event()
        call_off = self.call_later(seconds, lambda: self._leave(passed))
        with self._change:
            self._waiting += 1
            self._change.notify_all()
        while not passed.is_set() and not event.wait(0.005):
            pass
        call_off()
        self._leave(passed)
        return event.is_set()

    def _leave(self, passed: threading.Event) -> None:
        with self._change:
            if not passed.is_set():
                passed.set()
                self._waiting -= 1

    def advance(self, seconds: float) -> None:
        """Move on, stopping at each call that is due, until every background thread waits."""
        until = self.time + seconds
        self.advancing += 1
        self._settle()
        while self._due and self._due[0][0] <= until:
            with self._change:
                due, _, fn = heapq.heappop(self._due)
            self.time = max(self.time, due)
            fn()
            self._settle()
        self.advancing -= 1
        self.time = max(self.time, until)

    def _settle(self) -> None:
        with self._change:
            while self._waiting < _background_threads():
                self._change.wait(0.005)

    @contextlib.contextmanager
    def parked(self) -> Iterator[None]:
        """Around what keeps a thread waiting for something else than time."""
        on = threading.current_thread().name == BACKGROUND
        with self._change:
            self._waiting += on
            self._change.notify_all()
        try:
            yield
        finally:
            with self._change:
                self._waiting -= on

    def jump(self, seconds: float) -> None:
        """Move on while nothing runs: a suspended machine."""
        self.time += seconds


def _background_threads() -> int:
    return sum(thread.name == BACKGROUND for thread in threading.enumerate())


class AsyncInstantClock(_Time, async_runtime.Clock):
    """Time that passes at once, however long somebody sleeps."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += max(0.0, seconds)
        await anyio.lowlevel.checkpoint()


class InstantClock(_Time, sync_runtime.Clock):
    """Time that passes at once, however long somebody sleeps; for threads."""

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += max(0.0, seconds)

    def wait_for(self, event: threading.Event, seconds: float) -> bool:
        self.sleep(seconds)
        return event.is_set()


class Served(Protocol):
    """What answers requests in memory: a ledger, a business."""

    def handle(self, request: httpx.Request) -> httpx.Response: ...


class FakeLedger:
    """A ledger in memory on the test's clock, with faults to switch on; no flavour.

    ``faults[verb]`` is a queue, ``always[verb]`` what follows when it is empty: an int answers
    that status without doing anything, an exception is raised, ``"lost"`` does the work and loses
    the answer, a callable is called for one of these, and an ``httpx.Response`` is answered as it
    is. None lets the request through.
    """

    def __init__(self, clock: _Time) -> None:
        self.clock = clock
        self.effects: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.http: list[httpx.Request] = []
        self.faults: dict[str, collections.deque[Any]] = collections.defaultdict(collections.deque)
        self.always: dict[str, Any] = {}

    @property
    def verbs(self) -> list[str]:
        """The verbs of the requests so far, in order."""
        return [verb for verb, _ in self.requests]

    def bodies(self, verb: str) -> list[dict[str, Any]]:
        """The bodies of all requests of one verb; for a GET its query."""
        return [body for name, body in self.requests if name == verb]

    def effect(self, key: str = "k", namespace: str = "ns") -> dict[str, Any]:
        """The ledger's record of an effect."""
        return self.effects[namespace, key]

    def expire(self, key: str = "k", namespace: str = "ns") -> None:
        """As if an earlier attempt had been cut off."""
        self.effects[namespace, key] = {"status": "RUNNING", "fence": 1, "until": self.clock.time}

    def hold(self, key: str = "k", namespace: str = "ns", seconds: float = 3_600) -> None:
        """As if another agent held the lease."""
        until = self.clock.time + seconds
        self.effects[namespace, key] = {"status": "RUNNING", "fence": 1, "until": until}

    def take_over(self, key: str = "k", namespace: str = "ns") -> None:
        """As if another agent had been granted the lease meanwhile."""
        effect = self.effects[namespace, key]
        effect["fence"] += 1
        effect["until"] = self.clock.time + 30

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        namespace, verb = (unquote(part) for part in path.split("/")[-2:])
        body = json.loads(request.content) if request.content else dict(request.url.params)
        self.http.append(request)
        self.requests.append((verb, body))
        fault = self.faults[verb].popleft() if self.faults[verb] else self.always.get(verb)
        if callable(fault):
            fault = fault()
        if isinstance(fault, int):
            return httpx.Response(fault, json={"code": f"fault_{fault}", "message": "a fault"})
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, Exception):
            raise fault
        answer: httpx.Response = getattr(self, "_" + verb.replace("-", "_"))(namespace, body)
        if fault == "lost":
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return answer

    def _lease(self, namespace: str, body: dict[str, Any]) -> httpx.Response:
        key = body["effectKey"]
        effect = self.effects.setdefault((namespace, key), {"status": "NEW", "fence": 0})
        known = {"effectId": f"eff_{key}", "effectKey": key}
        if effect["status"] in {"COMMITTED", "FAILED"}:
            done = effect["status"] == "COMMITTED"
            settled = {
                "status": "cached_completed" if done else "cached_failed",
                "cachedResult" if done else "cachedError": effect["value"],
            }
            return _ok(known | settled | {"fenceToken": effect["fence"], "leaseToken": None})
        if effect["status"] == "RUNNING" and self.clock.time < effect["until"]:
            return httpx.Response(409, json={"code": "lease_conflict", "message": "held"})
        prior = "expired" if effect["status"] == "RUNNING" else "none"
        seconds = body.get("leaseDurationMs", 30_000) / 1000
        effect.update(
            status="RUNNING",
            fence=effect["fence"] + 1,
            until=self.clock.time + seconds,
            seconds=seconds,
        )
        grant = {
            "status": "granted",
            "fenceToken": effect["fence"],
            "leaseToken": f"token-{effect['fence']}",
            "leaseExpiresAt": "2030-01-01T00:00:00.000Z",
            "priorState": prior,
        }
        return _ok(known | grant)

    def _renew(self, namespace: str, body: dict[str, Any]) -> httpx.Response:
        effect = self.effects[namespace, body["effectKey"]]
        if body["fenceToken"] != effect["fence"] or self.clock.time >= effect["until"]:
            return _stale()
        effect["until"] = self.clock.time + effect["seconds"]
        return _ok({"status": "renewed", "leaseExpiresAt": "2030-01-01T00:00:00.000Z"})

    def _commit(self, namespace: str, body: dict[str, Any]) -> httpx.Response:
        words = ("accepted", "already_committed")
        return self._end(namespace, body, "COMMITTED", body["result"], words)

    def _fail(self, namespace: str, body: dict[str, Any]) -> httpx.Response:
        return self._end(namespace, body, "FAILED", body["error"], ("recorded", "already_failed"))

    def _end(
        self,
        namespace: str,
        body: dict[str, Any],
        status: str,
        value: Any,
        words: tuple[str, str],
    ) -> httpx.Response:
        effect = self.effects[namespace, body["effectKey"]]
        if body["fenceToken"] != effect["fence"] or effect["status"] not in {"RUNNING", status}:
            return _stale()
        again = effect["status"] == status
        effect.update(status=status, value=value)
        known = {"effectId": "eff", "fenceToken": effect["fence"], "message": "ok"}
        return _ok({"status": words[again]} | known)

    def _report_observe(self, namespace: str, body: dict[str, Any]) -> httpx.Response:
        return _ok({"status": "ok"})


def _ok(body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=body)


def _stale() -> httpx.Response:
    return httpx.Response(409, json={"code": "stale_fence", "message": "not the newest"})


class AsyncLedgerTransport(httpx.AsyncBaseTransport):
    """The way to a FakeLedger or another such; ``gates`` hold up requests of their verbs."""

    def __init__(self, ledger: Served) -> None:
        self.ledger = ledger
        self.gates: dict[str, anyio.Event] = {}
        self.entered: dict[str, anyio.Event] = collections.defaultdict(anyio.Event)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        verb = request.url.path.split("/")[-1]
        await anyio.lowlevel.checkpoint()
        self.entered[verb].set()
        if verb in self.gates:
            await self.gates[verb].wait()
        return self.ledger.handle(request)


class LedgerTransport(httpx.BaseTransport):
    """The way to a FakeLedger or another such, for threads."""

    def __init__(self, ledger: Served) -> None:
        self.ledger = ledger
        self.gates: dict[str, threading.Event] = {}
        self.entered: dict[str, threading.Event] = collections.defaultdict(threading.Event)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        verb = request.url.path.split("/")[-1]
        self.entered[verb].set()
        if verb in self.gates:
            clock = getattr(self.ledger, "clock", None)
            assert isinstance(clock, ManualClock)
            with clock.parked():
                self.gates[verb].wait()
        return self.ledger.handle(request)


class _List:
    """A list of numbers that is served in pages, with faults to switch on."""

    def __init__(self, count: int) -> None:
        self.rows: list[Any] = list(range(count))
        self.asked: list[tuple[int, int]] = []
        self.faults: dict[int, BaseException] = {}
        """Raised, once, when the page at that offset is asked for."""

    def page(self, limit: int, offset: int) -> list[Any]:
        if offset in self.faults:
            raise self.faults.pop(offset)
        return self.rows[offset : offset + limit]


class AsyncList(_List):
    """The way to a list; ``held`` are the offsets whose pages wait until they are let go."""

    def __init__(self, count: int, *, held: tuple[int, ...] = ()) -> None:
        super().__init__(count)
        self.held = {offset: anyio.Event() for offset in held}
        self.cancelled: list[int] = []

    async def fetch(self, limit: int, offset: int) -> list[Any]:
        self.asked.append((limit, offset))
        try:
            await anyio.lowlevel.checkpoint()
            if offset in self.held:
                await self.held[offset].wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(offset)
            raise
        return self.page(limit, offset)

    async def wait_asked(self, times: int) -> None:
        """Return when it has been asked so many *times*."""
        await self.wait_until(lambda: len(self.asked) >= times)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds, which may be for ever where it never does."""
        while not condition():
            await anyio.lowlevel.checkpoint()


class List(_List):
    """The way to a list, for threads."""

    def __init__(self, count: int, *, held: tuple[int, ...] = ()) -> None:
        super().__init__(count)
        self.held = {offset: threading.Event() for offset in held}
        self._change = threading.Condition()

    def fetch(self, limit: int, offset: int) -> list[Any]:
        with self._change:
            self.asked.append((limit, offset))
            self._change.notify_all()
        if offset in self.held:
            self.held[offset].wait()
        return self.page(limit, offset)

    def wait_asked(self, times: int) -> None:
        """Return when it has been asked so many *times*."""
        self.wait_until(lambda: len(self.asked) >= times)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds, which may be for ever where it never does."""
        with self._change:
            while not condition():
                self._change.wait(0.005)
