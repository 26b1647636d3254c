"""One attempt at a delivery, over a socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator

import attrs
import httpx
import pytest

from quatrain import __version__
from quatrain._secret import Secret
from quatrain.server.webhooks.records import Claim, Outcome
from quatrain.server.webhooks.sender import attempt, make_client
from tests.mixed._server import Exchange, Server

from .._support import START, ServerClock

PAYLOAD = '{"name": "Ada", "role": "caf\\u00e9"}'


def claim_for(url: str, payload: str = PAYLOAD) -> Claim:
    secret = Secret("whsec_secret")
    return Claim(1, "dlv_1", 1, url, secret, "team.added", payload, 1, START + 30_000)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with make_client() as client:
        yield client


async def outcome_of(
    client: httpx.AsyncClient, server: Server, *, timeout: float = 10.0
) -> Outcome:
    return await attempt(client, claim_for(server.url), now_ms=ServerClock(), timeout=timeout)


async def test_a_delivery_is_a_signed_post(client: httpx.AsyncClient) -> None:
    """Of the payload as it is; the time is the server's clock's, at sending."""
    clock = ServerClock()
    clock.advance(7_999)
    with Server(lambda exchange: exchange.answer(b"", 204)) as server:
        outcome = await attempt(client, claim_for(f"{server.url}?a=b"), now_ms=clock)
    assert outcome == Outcome(204)
    (exchange,) = server.exchanges
    assert (exchange.method, exchange.target) == ("POST", "/v1?a=b")
    assert exchange.body == PAYLOAD.encode()
    timestamp = START // 1000 + 7
    signed = f"{timestamp}.{PAYLOAD}".encode()
    digest = hmac.new(b"whsec_secret", signed, hashlib.sha256).hexdigest()
    expected = {
        "x-vos-signature": f"t={timestamp},v1={digest}",
        "x-vos-event-type": "team.added",
        "x-vos-delivery-id": "dlv_1",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"quatrain-webhooks/{__version__}",
    }
    assert expected == {name: exchange.headers[name] for name in expected}
    assert "whsec_secret" not in repr(exchange.headers)


@pytest.mark.parametrize(
    ("status", "delivered"),
    [(200, True), (202, True), (299, True), (302, False), (404, False), (410, False), (500, False)],
)
async def test_any_2xx_is_a_success_and_nothing_else(
    client: httpx.AsyncClient, status: int, delivered: bool
) -> None:
    """A redirect is not followed."""

    def answer(exchange: Exchange) -> None:
        exchange.answer(b"no  such\nhook", status, ("location: /elsewhere",))

    with Server(answer) as server:
        outcome = await outcome_of(client, server)
    assert (outcome.status, outcome.delivered) == (status, delivered)
    assert outcome.error == (None if delivered else f"answered {status}: no such hook")
    assert len(server.exchanges) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Fri, 15 Jan 2027 08:01:30 GMT", 90.0),
        ("soon", None),
        ("-5", 0.0),
    ],
)
async def test_a_receiver_may_ask_for_time(
    client: httpx.AsyncClient, value: str, seconds: float | None
) -> None:
    """In seconds or as a date, which the server's clock is compared with."""
    with Server(lambda exchange: exchange.answer(b"", 503, (f"retry-after: {value}",))) as server:
        outcome = await outcome_of(client, server)
    assert outcome == Outcome(503, "answered 503", seconds)


async def test_a_receiver_that_does_not_answer_is_left(client: httpx.AsyncClient) -> None:
    """In time."""
    with Server(lambda exchange: None) as server:
        outcome = await outcome_of(client, server, timeout=0.05)
    assert outcome == Outcome(None, "no answer within 0.05 seconds")


async def test_an_answer_that_trickles_is_left(client: httpx.AsyncClient) -> None:
    """The time is for the whole of it, not for each piece."""

    async def trickle(exchange: Exchange) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300 + b"\r\ncontent-length: 0\r\n\r\n":
            exchange.raw(bytes([byte]))
            await asyncio.sleep(0.001)

    with Server(trickle) as server:
        outcome = await outcome_of(client, server, timeout=0.05)
    assert outcome == Outcome(None, "no answer within 0.05 seconds")


@pytest.mark.parametrize("status", [200, 500])
async def test_the_status_stands_though_the_answer_breaks_off(
    client: httpx.AsyncClient, status: int
) -> None:
    """The receiver has decided by then: what it took is not sent again."""

    def answer(exchange: Exchange) -> None:
        exchange.answer(b"half", status, length=100)
        exchange.writer.close()

    with Server(answer) as server:
        outcome = await outcome_of(client, server)
    assert outcome == Outcome(status, None if status == 200 else "answered 500: half")


async def test_only_the_first_words_of_an_answer_are_read(client: httpx.AsyncClient) -> None:
    """The rest is left, and the connection closed."""
    pieces = 20_000
    sent = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal sent
        exchange.answer(b"", 500, length=pieces * 1_000)
        while sent < pieces:
            exchange.raw(b"x" * 1_000)
            await exchange.writer.drain()
            sent += 1

    with Server(flood) as server:
        outcome = await outcome_of(client, server)
    assert outcome == Outcome(500, "answered 500: " + "x" * (200 - len("answered 500: ")))
    assert sent < pieces


async def test_errors_are_one_line_that_shows_no_secret(client: httpx.AsyncClient) -> None:
    """Whatever the receiver writes: it may know the secret, and terminals obey control codes."""
    said = "bad\r\n\x1b[31m signature of whsec_secret \xff".encode("latin-1")
    with Server(lambda exchange: exchange.answer(said, 401)) as server:
        outcome = await outcome_of(client, server)
    assert outcome.error == "answered 401: bad \ufffd[31m signature of ********** \ufffd"


async def test_a_receiver_that_hangs_up_is_an_outcome(client: httpx.AsyncClient) -> None:
    """Not an exception."""
    with Server(lambda exchange: exchange.drop()) as server:
        outcome = await outcome_of(client, server)
    assert outcome.status is None
    assert outcome.error is not None
    assert outcome.error.startswith(("ReadError", "RemoteProtocolError"))


async def test_nobody_there_is_an_outcome(client: httpx.AsyncClient) -> None:
    """A port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        outcome = await attempt(client, claim_for(url), now_ms=ServerClock())
    assert outcome.status is None
    assert outcome.error is not None
    assert outcome.error.startswith("ConnectError")


@pytest.mark.parametrize("url", ["ftp://a.test", "http://a.test:99999", "http://[", ""])
async def test_a_broken_url_is_an_outcome(client: httpx.AsyncClient, url: str) -> None:
    """Whoever wrote it into the database."""
    outcome = await attempt(client, claim_for(url), now_ms=ServerClock())
    assert outcome.status is None
    assert outcome.error


async def test_a_broken_event_name_is_an_outcome(client: httpx.AsyncClient) -> None:
    """It can't be a header."""
    with Server(lambda exchange: exchange.answer()) as server:
        broken = attrs.evolve(claim_for(server.url), event_type="a\r\nb: c")
        outcome = await attempt(client, broken, now_ms=ServerClock())
        server.settle()
    assert outcome.status is None
    assert server.exchanges == []


async def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers are mostly on this machine."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Server(lambda exchange: exchange.answer()) as server:
        async with make_client() as client:
            assert await outcome_of(client, server) == Outcome(200)


async def test_cookies_are_not_kept(client: httpx.AsyncClient) -> None:
    """What one receiver sets, another on the same host would be shown."""
    with Server(lambda exchange: exchange.answer(b"", 200, ("set-cookie: a=b; path=/",))) as server:
        await outcome_of(client, server)
        await outcome_of(client, server)
    assert [False, False] == ["cookie" in exchange.headers for exchange in server.exchanges]


async def test_a_burst_goes_over_one_connection(client: httpx.AsyncClient) -> None:
    """While the receiver keeps it."""
    with Server(lambda exchange: exchange.answer(b"ok", 500)) as server:
        for _ in range(3):
            await outcome_of(client, server)
    assert server.connections == [1, 1, 1]


async def test_a_cancelled_attempt_is_no_outcome(client: httpx.AsyncClient) -> None:
    """Whoever stops the dispatcher gets it stopped."""
    with Server(lambda exchange: None) as server:
        task = asyncio.create_task(outcome_of(client, server))
        while not server.exchanges:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
