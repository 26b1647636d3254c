"""The portal's life: opening, closing, loops that come and go, and forks."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import pytest

from quatrain.server.portal import Portal

from .app import LONG, URL


def test_loops_one_after_the_other(app, portal, caplog):
    """A transport serves successive event loops, and does not mind what they left undone."""
    transport = portal.async_transport()

    async def call():
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/hang", timeout=0.001)
            return (await client.get("/echo")).status_code

    answers = [anyio.run(call, backend=backend) for backend in ("asyncio", "trio", "asyncio")]
    portal.close()

    assert [201, 201, 201] == answers
    assert [] == caplog.records


def test_a_caller_whose_loop_has_ended(portal):
    """A response that nobody can be told of any more is no error of the app."""

    def wake():
        raise RuntimeError("the loop is closed")

    exchange = portal.open().submit(httpx.Request("GET", URL + "/echo"), b"", wake)
    portal.close()

    assert None is exchange._task.exception()


async def test_opens_inside_a_task(app):
    """The app runs in a context of its own, even when a task of trio opens it."""
    with Portal(lambda: app) as portal:
        async with httpx.AsyncClient(transport=portal.async_transport(), base_url=URL) as client:
            assert 201 == (await client.get("/echo")).status_code


async def test_opens_on_first_async_use(app):
    """The first caller's loop does not wait for the app's startup."""
    portal = Portal(lambda: app)
    async with httpx.AsyncClient(transport=portal.async_transport(), base_url=URL) as client:
        response = await client.get("/echo")
    await anyio.to_thread.run_sync(portal.close)

    assert 201 == response.status_code


def test_closing_ends_requests_under_way(app, portal, client):
    """A request under way while the portal closes is a ReadError; the app shuts down."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.get, "/hang")
        app.started.wait(LONG)
        portal.close()
        error = call.exception(LONG)

    assert httpx.ReadError is type(error)
    assert (True, True) == (app.stopped.is_set(), app.shut_down.is_set())


async def test_closing_ends_async_requests_under_way(app, portal, make_client):
    """The same for tasks."""
    errors = []

    async def call(client):
        try:
            await client.get("/hang")
        except httpx.ReadError as exc:
            errors.append(type(exc))

    async with make_client() as client, anyio.create_task_group() as group:
        group.start_soon(call, client)
        await anyio.to_thread.run_sync(app.started.wait, LONG)
        await anyio.to_thread.run_sync(portal.close)

    assert [httpx.ReadError] == errors


def test_requests_racing_with_close_all_end(portal, client):
    """However a request falls into the closing, it is answered or it is a TransportError."""
    barrier = threading.Barrier(9)

    def call():
        barrier.wait()
        for _ in range(200):
            try:
                client.get("/echo")
            except httpx.TransportError as exc:
                return type(exc)
        return None

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call) for _ in range(8)]
        barrier.wait()
        portal.close()
        ends = {call.result(LONG) for call in calls}

    assert ends <= {httpx.ConnectError, httpx.ReadError}


@pytest.mark.parametrize("moment", ["app's shutdown", "loop's end"])
def test_a_request_that_comes_too_late_ends(app, portal, monkeypatch, moment):
    """A request that was let in just before close() is told that it was not sent."""
    running = portal.open()
    request = httpx.Request("GET", URL + "/echo")
    late = []

    def submit():
        late.append(running.submit(request, b"", lambda: None))

    if moment == "app's shutdown":
        app.may_shut_down.clear()
        with ThreadPoolExecutor(1) as pool:
            closing = pool.submit(portal.close)
            app.shutting_down.wait(LONG)
            submit()
            app.may_shut_down.set()
            closing.result(LONG)
    else:
        close = app.loop.close
        monkeypatch.setattr(app.loop, "close", lambda: (submit(), close()))
        portal.close()

    assert [httpx.ConnectError] == [type(exchange.poll()) for exchange in late]


def test_leaving_a_response_after_close(portal, client):
    """A response may outlive the portal: it ends with ReadError and can still be closed."""
    with client.stream("GET", "/endless") as response:
        portal.close()
        with pytest.raises(httpx.ReadError):
            response.read()


def test_closing_a_response_after_close(portal, client):
    """A response may outlive the portal: closing it unread is quiet."""
    with client.stream("GET", "/endless") as response:
        portal.close()

    assert response.is_closed


def test_a_closed_portal_refuses(portal, client):
    """After close() nothing is started again; closing twice is fine."""
    portal.close()
    portal.close()

    with pytest.raises(httpx.ConnectError, match="has been closed"):
        client.get("/echo")


def test_closing_a_client_leaves_the_portal_open(portal):
    """Several clients share one portal."""
    for _ in range(2):
        with httpx.Client(transport=portal.transport(), base_url=URL) as client:
            assert 201 == client.get("/echo").status_code


def test_opens_on_first_use(app):
    """A portal starts nothing until somebody calls, and leaves nothing running when closed."""
    threads = [threading.active_count()]
    portal = Portal(lambda: app)
    threads.append(threading.active_count())
    with httpx.Client(transport=portal.transport(), base_url=URL) as client:
        client.get("/echo")
    threads.append(threading.active_count())
    portal.close()
    threads.append(threading.active_count())

    assert [0, 0, 1, 0] == [count - threads[0] for count in threads]
    assert app.shut_down.is_set()


async def failing(scope, receive, send):
    await receive()
    raise LookupError("no database")


async def refusing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "not today"})


@pytest.mark.parametrize(
    ("app", "error"), [(failing, LookupError("no database")), (refusing, RuntimeError("not today"))]
)
def test_startup_failure_is_raised(app, error):
    """What the app's startup raised comes out of the first request, and out of each later one."""
    before = threading.active_count()
    portal = Portal(lambda: app)
    with httpx.Client(transport=portal.transport(), base_url=URL) as client:
        for _ in range(2):
            with pytest.raises(type(error), match=str(error)):
                client.get("/echo")

    assert before == threading.active_count()


FORK = """
import os, sys
sys.path.insert(0, {tests!r})
import httpx
from app import App
from quatrain.server.portal import Portal

apps = []
def make_app():
    apps.append(App())
    return apps[-1]

portal = Portal(make_app)
client = httpx.Client(transport=portal.transport(), base_url="http://localhost")

def check():
    assert client.get("/echo").status_code == 201

check()
{hold}
pid = os.fork()
if pid == 0:
    check()
    assert len(apps) == 2, apps
    portal.close()
    assert apps[1].shut_down.is_set() and not apps[0].shut_down.is_set()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
{release}
check()
assert len(apps) == 1
portal.close()
assert apps[0].shut_down.is_set()
print("fine")
"""


@pytest.mark.parametrize(
    ("hold", "release"),
    [("", ""), ("portal._lock.acquire()", "portal._lock.release()")],
    ids=["quiet", "while another thread opens or closes it"],
)
def test_survives_a_fork(hold, release):
    """A child gets an app of its own on first use; the parent goes on with its own."""
    program = FORK.format(tests=str(Path(__file__).parent), hold=hold, release=release)
    # Forking is the very point here: newer Pythons warn of threads, which the child leaves alone.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)

    assert ("fine\n", "") == (done.stdout, done.stderr)
