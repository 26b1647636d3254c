"""Requests through the portal: from threads, asyncio and trio alike."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import pytest

from .app import LONG


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
