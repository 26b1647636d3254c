"""The dispatcher as a part of the platform: it lives as long as the app does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.store import store_on
from tests.mixed._server import Server

from .._support import ServerClock, as_argument
from ._support import make_site, workers

_FORKING = """
import os, sys, threading
from quatrain.server.local import LocalPlatform
from quatrain.server.webhooks import outbox

def add(connection, now, endpoint_id):
    return outbox.add(connection, now, endpoint_id, "team.added", "{}")

def settled(connection, now, _):
    statement = "SELECT count(*) FROM webhook_deliveries WHERE status = 'DELIVERED'"
    return connection.execute(statement).fetchone()[0]

def send(platform):
    state = platform._app.state
    before = state.store.read_blocking(settled, None)
    state.store.write_blocking(add, int(sys.argv[2]))
    state.dispatcher.wake()
    while state.store.read_blocking(settled, None) == before:
        os.sched_yield()
    return state.dispatcher

platform = LocalPlatform(sys.argv[1])
platform.portal.open()
inherited = send(platform)
pid = os.fork()
if pid == 0:
    code = 1
    try:
        assert threading.active_count() == 1
        waiting = len(inherited._run._background._loop._ready)
        inherited.wake()
        assert len(inherited._run._background._loop._ready) == waiting
        platform.portal.open()
        assert send(platform) is not inherited
        platform.close()
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert send(platform) is inherited
platform.close()
"""


async def test_the_app_sends_while_it_lives(app: Starlette) -> None:
    """And can be told of a new event."""
    with Server(lambda exchange: exchange.answer()) as server:
        site = make_site(app.state.store)
        delivery_id = site.add(site.add_endpoint(server.url))
        app.state.dispatcher.wake()
        await site.idle()
        assert site.delivery(delivery_id).status == "DELIVERED"
    assert [delivery_id] == [e.headers["x-vos-delivery-id"] for e in server.exchanges]


async def test_the_apps_end_is_its_end(database: Path) -> None:
    """Nothing goes on in the background."""
    app = create_app(Settings(database=database))
    async with app.router.lifespan_context(app):
        assert workers() == ["quatrain-webhooks"]
    assert workers() == []


async def test_a_platform_may_leave_it_to_others(database: Path, clock: ServerClock) -> None:
    """Then what is written waits."""
    app = create_app(Settings(database=database, background=False), now_ms=clock)
    async with app.router.lifespan_context(app):
        assert workers() == []
        site = make_site(app.state.store)
        delivery_id = site.add(site.add_endpoint())
        app.state.dispatcher.wake()
        assert site.delivery(delivery_id).status == "PENDING"


def test_a_forked_child_sends_with_a_dispatcher_of_its_own(database: Path) -> None:
    """It has none until it starts a platform; its parent's goes on."""
    with store_on(database) as store, Server(lambda exchange: exchange.answer()) as server:
        site = make_site(store)
        endpoint = site.add_endpoint(server.url)
        ignored = "ignore:This process:DeprecationWarning"
        command = [sys.executable, "-W", "error", "-W", ignored, "-c", _FORKING]
        process = subprocess.run(
            [*command, as_argument(database), str(endpoint.id)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (process.returncode, process.stderr) == (0, "")
        assert ["DELIVERED"] * 3 == [delivery.status for delivery in site.deliveries()]
        assert len(server.exchanges) == 3
