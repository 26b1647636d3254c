"""The portal: an app in a daemon thread, called from threads, asyncio and trio alike."""

import asyncio
import contextlib
import json
import logging
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

URL = "http://localhost"
LONG = 30.0  # for what must happen, however slow the machine is


class App:
    """A small ASGI app whose handlers tell the test how far they have got."""

    def __init__(self):
        self.started = threading.Event()
        self.stopped = threading.Event()
        self.shutting_down = threading.Event()
        self.shut_down = threading.Event()
        self.may_shut_down = threading.Event()
        self.may_shut_down.set()
        self.go_on = None
        self.sent = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
        else:
            await getattr(self, scope["path"].strip("/"))(scope, receive, send)

    async def lifespan(self, scope, receive, send):
        await receive()
        scope["state"]["greeting"] = "hello"
        self.loop = asyncio.get_running_loop()
        await anyio.lowlevel.checkpoint()  # takes its caller's trio for its own, if it can see it
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.shutting_down.set()
        await asyncio.to_thread(self.may_shut_down.wait, LONG)
        self.shut_down.set()
        await send({"type": "lifespan.shutdown.complete"})

    async def head(self, send, status=200):
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"b")]})

    async def echo(self, scope, receive, send):
        body = (await receive())["body"]
        await anyio.lowlevel.checkpoint()  # takes its caller's trio for its own, if it can see it
        fields = {
            "method": scope["method"],
            "query": scope["query_string"].decode(),
            "body": body.decode(),
            "host": dict(scope["headers"])[b"host"].decode(),
            "greeting": scope["state"]["greeting"],
        }
        await self.head(send, 201)
        await send({"type": "http.response.body", "body": json.dumps(fields).encode()})

    async def parts(self, scope, receive, send):
        """One part, then the next one when the test says so."""
        self.go_on = asyncio.Event()
        await self.head(send)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body"})

    async def endless(self, scope, receive, send):
        await self.head(send)
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1024, "more_body": True})
                self.sent += 1
        finally:
            self.stopped.set()

    async def hang(self, scope, receive, send):
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()

    async def listen(self, scope, receive, send):
        """Starts an answer, then ends when it hears that its caller has gone."""
        await receive()
        await self.head(send)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if (await receive())["type"] == "http.disconnect":
            self.stopped.set()

    async def boom(self, scope, receive, send):
        raise ValueError("boom")

    async def leave(self, scope, receive, send):
        raise SystemExit(3)

    async def silent(self, scope, receive, send):
        pass

    async def half(self, scope, receive, send):
        await self.head(send)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("boom")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Callers may run on either."""
    return request.param


@pytest.fixture
def app():
    return App()


@pytest.fixture
def portal(app):
    with Portal(lambda: app) as portal:
        yield portal


@pytest.fixture
def client(portal):
    with httpx.Client(transport=portal.transport(), base_url=URL, timeout=LONG) as client:
        yield client


@pytest.fixture
def make_client(portal):
    """Async clients belong to the loop of the test, so the test makes them."""

    def make():
        transport = portal.async_transport()
        return httpx.AsyncClient(transport=transport, base_url=URL, timeout=LONG)

    return make


def test_sync_request_and_response(client):
    """A request reaches the app whole, with the state of its lifespan, and is answered."""
    response = client.put("/echo", params={"a": "ä"}, content=b"body")

    assert 201 == response.status_code
    assert "b" == response.headers["x-a"]
    assert {
        "method": "PUT",
        "query": "a=%C3%A4",
        "body": "body",
        "host": "localhost",
        "greeting": "hello",
    } == response.json()


async def test_async_request_and_response(make_client):
    """The same from asyncio and trio."""
    async with make_client() as client:
        response = await client.put("/echo", content=b"body")

    assert (201, "body") == (response.status_code, response.json()["body"])


def test_streamed_request_body(client):
    """A body that comes in pieces arrives in one."""
    response = client.post("/echo", content=iter([b"a", b"b"]))

    assert "ab" == response.json()["body"]


def test_many_threads(client):
    """Callers in many threads get their own answers."""

    def call(number):
        return int(client.post("/echo", content=str(number)).json()["body"])

    with ThreadPoolExecutor(8) as pool:
        assert list(range(200)) == list(pool.map(call, range(200)))


async def test_many_tasks(make_client):
    """Callers in many tasks get their own answers."""
    answers = {}

    async def call(client, number):
        answers[number] = int((await client.post("/echo", content=str(number))).json()["body"])

    async with make_client() as client, anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(call, client, number)

    assert {number: number for number in range(200)} == answers


def test_sync_response_is_streamed(app, client):
    """A part is there before the app has made the next one."""
    with client.stream("GET", "/parts") as response:
        parts = response.iter_raw()
        first = next(parts)
        app.loop.call_soon_threadsafe(app.go_on.set)

        assert [b"one", b"two"] == [first, *parts]


async def test_async_response_is_streamed(app, make_client):
    """A part is there before the app has made the next one."""
    async with make_client() as client, client.stream("GET", "/parts") as response:
        parts = response.aiter_raw()
        first = await anext(parts)
        app.loop.call_soon_threadsafe(app.go_on.set)

        assert [b"one", b"two"] == [first, *[part async for part in parts]]


def test_sync_early_close_stops_the_app(app, client):
    """Who leaves a response early ends the handler that was making it."""
    with client.stream("GET", "/endless") as response:
        next(response.iter_raw())

    assert app.stopped.wait(LONG)


async def test_async_early_close_stops_the_app(app, make_client):
    """Who leaves a response early ends the handler that was making it."""
    async with make_client() as client, client.stream("GET", "/endless"):
        pass

    assert await anyio.to_thread.run_sync(app.stopped.wait, LONG)


def test_a_slow_reader_holds_the_app_back(app, client):
    """The app does not run ahead of its reader by more than the high-water mark."""
    with client.stream("GET", "/endless") as response:
        parts = response.iter_raw()
        for _ in range(500):
            next(parts)
        client.get("/echo")  # the app's loop has had its turn

        assert app.sent <= 500 + 65


def test_disconnect_is_heard_by_the_app(app, client):
    """A handler that asks for its caller's messages gets http.disconnect."""
    with client.stream("GET", "/listen"):
        pass

    assert app.stopped.wait(LONG)


def test_sync_read_timeout(client):
    """The request's read timeout is kept."""
    with pytest.raises(httpx.ReadTimeout) as caught:
        client.get("/hang", timeout=0.01)

    assert "/hang" == caught.value.request.url.path


async def test_async_read_timeout(make_client):
    """The request's read timeout is kept."""
    async with make_client() as client:
        with pytest.raises(httpx.ReadTimeout) as caught:
            await client.get("/hang", timeout=0.01)

    assert "/hang" == caught.value.request.url.path


def test_sync_read_timeout_between_parts(app, client):
    """The read timeout holds for each part of a response, and its handler is stopped."""
    with client.stream("GET", "/listen", timeout=0.5) as response, pytest.raises(httpx.ReadTimeout):
        response.read()

    assert app.stopped.wait(LONG)


async def test_async_read_timeout_between_parts(app, make_client):
    """The read timeout holds for each part of a response, and its handler is stopped."""
    async with make_client() as client, client.stream("GET", "/listen", timeout=0.5) as response:
        with pytest.raises(httpx.ReadTimeout):
            await response.aread()

    assert await anyio.to_thread.run_sync(app.stopped.wait, LONG)


async def test_cancelled_scope_stops_the_app(app, make_client):
    """Cancelling the caller's scope, on either backend, ends the handler."""
    async with make_client() as client, anyio.create_task_group() as group:
        group.start_soon(client.get, "/hang")
        await anyio.to_thread.run_sync(app.started.wait, LONG)
        group.cancel_scope.cancel()

    assert await anyio.to_thread.run_sync(app.stopped.wait, LONG)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_cancelled_task_stops_the_app(app, make_client):
    """So does asyncio's own cancellation of a task."""
    async with make_client() as client:
        task = asyncio.create_task(client.get("/hang"))
        await asyncio.to_thread(app.started.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await asyncio.to_thread(app.stopped.wait, LONG)


async def test_works_after_a_storm_of_cancellations(make_client):
    """Requests cancelled at any moment leave nothing behind that would stop later ones."""

    async def call(client, turns):
        async with anyio.create_task_group() as group:
            group.start_soon(client.get, "/endless")
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()

    async with make_client() as client:
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(call, client, number)
        answers = [(await client.get("/echo")).status_code for _ in range(20)]

    assert [201] * 20 == answers


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


@pytest.mark.parametrize(
    ("path", "message"),
    [("/boom", "Exception in"), ("/leave", "Exception in"), ("/silent", "without an answer")],
)
def test_an_app_that_fails_is_a_500(client, caplog, path, message):
    """What an app raises, or fails to answer, is logged and answered as an HTTP server would."""
    response = client.get(path)

    assert (500, "Internal Server Error") == (response.status_code, response.text)
    assert [logging.ERROR] == [record.levelno for record in caplog.records]
    assert message in caplog.text
    assert 201 == client.get("/echo").status_code


def test_an_app_that_fails_half_way_is_a_protocol_error(client, caplog):
    """A response that breaks off is never taken for a complete one."""
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/half")

    assert "boom" in caplog.text


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
from test_portal import App, Portal

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
