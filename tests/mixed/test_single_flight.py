"""Whoever wants the same token at the same time shares one request, across tasks and threads."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from quatrain._runtime._flights import Flights
from quatrain._tokens import TOKENS
from quatrain.vendo import AsyncVendo, AuthError, Vendo

from .. import _vendo
from ._server import Exchange, Server

TASKS, THREADS = 100, 20


class Host:
    """Vendo's hosts, whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.entered = threading.Event()
        self.status = 200

    async def __call__(self, exchange: Exchange) -> None:
        self.entered.set()
        await asyncio.to_thread(self.let_go.wait)
        refused = {"error": {"code": "app_revoked", "message": "no"}}
        token = {"access_token": "tok-1", "connections": [{"slug": "openai"}]}
        exchange.answer(token if self.status == 200 else refused, self.status)


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.let_go.set()
    TOKENS.clear()


@pytest.fixture
def server(host: Host) -> Iterator[Server]:
    with Server(host) as server:
        yield server


@pytest.fixture
def settings(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in _vendo.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    urls = dict.fromkeys(("base_url", "credentials_url", "data_proxy_url"), server.url)
    return {"api_key": _vendo.KEY, **urls}


@contextlib.contextmanager
def when_joined(flights: Flights[Any], number: int, then: Callable[[], object]) -> Iterator[None]:
    """Call *then* when *number* have come for the same."""
    join, count, lock = flights.join, [0], threading.Lock()

    def counted(key: Any) -> Any:
        found = join(key)
        with lock:
            count[0] += 1
            if count[0] == number:
                then()
        return found

    flights.join = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        del flights.join


async def outcomes(ask: Callable[[], Any], ask_async: Callable[[], Any]) -> list[str | Exception]:
    """What 100 tasks and 20 threads get that ask at the same time."""
    found: list[Any] = []

    async def one() -> None:
        try:
            found.append(await ask_async())
        except AuthError as exc:
            found.append(exc)

    def another() -> None:
        try:
            found.append(ask())
        except AuthError as exc:
            found.append(exc)

    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(another) for _ in range(THREADS)]
        async with anyio.create_task_group() as group:
            for _ in range(TASKS):
                group.start_soon(one)
        for future in futures:
            future.result()
    return found


async def test_tasks_and_threads_make_one_request(
    host: Host, server: Server, settings: dict[str, str]
) -> None:
    """A hundred of the one and twenty of the other."""
    with Vendo(**settings) as vendo, when_joined(TOKENS.flights, 120, host.let_go.set):
        async with AsyncVendo(**settings) as a_vendo:
            found = await outcomes(lambda: vendo.token("openai"), lambda: a_vendo.token("openai"))
    assert found == ["tok-1"] * 120
    assert len(server.exchanges) == 1


async def test_a_failed_fetch_is_shared(
    host: Host, server: Server, settings: dict[str, str]
) -> None:
    """Nobody asks again because of it, and everybody gets an exception of his own."""
    host.status = 401
    with Vendo(**settings) as vendo, when_joined(TOKENS.flights, 120, host.let_go.set):
        async with AsyncVendo(**settings) as a_vendo:
            found = await outcomes(lambda: vendo.token("openai"), lambda: a_vendo.token("openai"))
    assert {type(each) for each in found} == {AuthError}
    assert len({id(each) for each in found}) == 120
    assert len(server.exchanges) == 1


async def test_whoever_lists_connections_at_the_same_time(
    host: Host, server: Server, settings: dict[str, str]
) -> None:
    """Shares a request, of one client."""
    async with AsyncVendo(**settings) as vendo:
        found: list[Any] = []

        async def one() -> None:
            found.append(await vendo.connections.list())

        with when_joined(vendo.connections._flights, TASKS, host.let_go.set):
            async with anyio.create_task_group() as group:
                for _ in range(TASKS):
                    group.start_soon(one)
    assert [[each.slug for each in one] for one in found] == [["openai"]] * TASKS
    assert len({id(each) for each in found}) == TASKS
    assert len(server.exchanges) == 1


async def test_when_the_first_is_cancelled_another_one_leads(
    host: Host, server: Server, settings: dict[str, str]
) -> None:
    """Those who wait get their token all the same."""
    async with AsyncVendo(**settings) as vendo:
        found: list[str] = []
        first = anyio.CancelScope()

        async def lead() -> None:
            with first:
                await vendo.token("openai")

        async def follow() -> None:
            found.append(await vendo.token("openai"))

        async with anyio.create_task_group() as group:
            group.start_soon(lead)
            await anyio.to_thread.run_sync(host.entered.wait)
            with when_joined(TOKENS.flights, 10, first.cancel):
                for _ in range(10):
                    group.start_soon(follow)
                await anyio.wait_all_tasks_blocked()
            host.let_go.set()
    assert found == ["tok-1"] * 10
    assert len(server.exchanges) == 2


async def test_a_sync_call_in_the_thread_of_the_loop_that_fetches(
    host: Host, server: Server, settings: dict[str, str]
) -> None:
    """Fetches for itself: to wait for the task would stop it for ever."""
    with Vendo(**settings) as vendo:
        async with AsyncVendo(**settings) as a_vendo, anyio.create_task_group() as group:
            group.start_soon(a_vendo.token, "openai")
            await anyio.to_thread.run_sync(host.entered.wait)
            host.let_go.set()
            # the task can't have seen its answer: the loop has not run since
            assert vendo.token("openai") == "tok-1"
    assert len(server.exchanges) == 2


FORK = """
import os
from quatrain._runtime._flights import Flights

flights = Flights()
assert flights.join("key")[1]
pid = os.fork()
if pid == 0:
    os._exit(0 if flights.join("key")[1] else 1)
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert not flights.join("key")[1]
"""


def test_a_forked_child_waits_for_nobody() -> None:
    """The thread that would have landed it is its parent's."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
