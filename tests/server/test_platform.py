"""What every request passes: its id, the Host check, health, the last resort for errors."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.middleware import BodyLimit, Outermost

from ._support import Client


async def test_every_answer_has_its_own_request_id(client: Client) -> None:
    """Good and bad, below the mount and beside it; errors repeat it in the body."""
    answers = [
        await client.get("/effects"),
        await client.get("/effects/ns/effect", effectKey="x"),
        await client.http.get("/effects"),
        await client.http.get("http://localhost/nowhere"),
        await client.http.get("http://localhost/healthz"),
    ]
    ids = [response.headers["x-request-id"] for response in answers]
    assert len(set(ids)) == 5
    assert all(request_id.startswith("req_") for request_id in ids)
    assert ids[1:4] == [response.json()["requestId"] for response in answers[1:4]]


# -- hosts ----------------------------------------------------------------------------------------


async def status_for(app: Starlette, host: str) -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return (await http.get("/healthz", headers={"host": host.encode()})).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8787", "[::1]", "[::1]:8787"]
)
async def test_the_loopback_goes_by_its_names(app: Starlette, host: str) -> None:
    """With any port, in any case."""
    assert await status_for(app, host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.0.1", "", "[::1", "é"],
)
async def test_other_names_are_refused(app: Starlette, host: str) -> None:
    """A page that has its own name point here must not get in: on any path, key or not."""
    assert await status_for(app, host) == 400


async def test_names_may_be_added(database: Path) -> None:
    """By settings; not case-sensitive."""
    app = create_app(Settings(database=database, allowed_hosts={"Ledger.Internal"}))
    async with app.router.lifespan_context(app):
        assert await status_for(app, "ledger.internal:80") == 200
        assert await status_for(app, "other.internal") == 400


async def test_addresses_are_fine_for_who_listens_to_the_world(database: Path) -> None:
    """An address can't be rebound; a name can."""
    app = create_app(Settings(database=database, host="0.0.0.0", allow_remote=True))
    async with app.router.lifespan_context(app):
        assert await status_for(app, "192.168.0.1:8787") == 200
        assert await status_for(app, "evil.example") == 400


async def test_a_request_without_a_host_or_with_two_is_refused(app: Starlette) -> None:
    """There is nothing to check then."""
    for hosts in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        assert (await raw_request(app, "/healthz", headers=hosts))[0]["status"] == 400


async def test_there_is_no_wildcard_for_other_origins(client: Client) -> None:
    """No CORS header at all: a page on the web may not read."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("GET", "OPTIONS"):
        response = await client.http.request(method, "/effects", headers=headers)
        assert [] == [name for name in response.headers if name.startswith("access-control")]


# -- plain ASGI -----------------------------------------------------------------------------------


async def raw_request(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    headers: list[tuple[bytes, bytes]] | None = None,
    query_string: bytes = b"",
    messages: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """A request as a server hands it over, with what no HTTP client would send."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query_string,
        "headers": [(b"host", b"localhost")] if headers is None else headers,
    }
    incoming = iter(messages or [{"type": "http.request", "body": b""}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(incoming)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return sent


async def test_a_query_of_raw_bytes_is_refused(client: Client, app: Starlette) -> None:
    """422: servers pass on what is not ASCII."""
    headers = [
        (b"host", b"localhost"),
        (b"authorization", client.headers["authorization"].encode()),
    ]
    sent = await raw_request(app, "/v1/effects", headers=headers, query_string=b"key=\xe9")
    assert sent[0]["status"] == 422


async def test_a_client_that_hangs_up_gets_no_answer(client: Client, app: Starlette) -> None:
    """And leaves no trace: half a request is none."""
    headers = [
        (b"host", b"localhost"),
        (b"authorization", client.headers["authorization"].encode()),
    ]
    messages = [
        {"type": "http.request", "body": b'{"effectKey":', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = await raw_request(
        app, "/v1/effects/ns/lease", method="POST", headers=headers, messages=messages
    )
    assert sent == []
    assert (await client.get("/effects")).json()["items"] == []


async def test_an_announced_size_is_believed_when_it_is_too_large(app: Starlette) -> None:
    """And ignored when it is no number: the bytes are counted anyway."""
    seen: list[int] = []

    async def read(scope: Any, receive: Any, send: Any) -> None:
        seen.append(len((await receive())["body"]))

    limited = BodyLimit(read, limit=4)
    for size in (b"5", b"9" * 5_000, b"-1", b"x"):
        headers = [(b"content-length", size)]
        sent = await raw_request(Outermost(limited), "/", headers=headers)
        assert [message.get("status") for message in sent[:1]] == [413] * (size.isdigit())
    assert seen == [0, 0]


async def test_a_bug_is_answered_and_logged_under_the_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """500 in the envelope, without the reason; the log has the traceback."""

    async def buggy(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.ERROR, "quatrain.server"):
        start, body = await raw_request(Outermost(buggy), "/")
    request_id = dict(start["headers"])[b"x-request-id"].decode()
    assert start["status"] == 500
    assert b"secret" not in body["body"]
    (record,) = caplog.records
    assert request_id in record.getMessage()
    assert record.exc_info is not None


async def test_a_bug_in_the_middle_of_an_answer_breaks_the_connection() -> None:
    """Nobody may take half an answer for a whole one."""

    async def buggy(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await raw_request(Outermost(buggy), "/")


# -- health ---------------------------------------------------------------------------------------


@pytest.mark.on_file
async def test_health_is_a_write_that_worked(client: Client, database: Path) -> None:
    """It reaches the disk."""
    response = await client.http.get("http://localhost/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    connection = sqlite3.connect(database)
    (at,) = connection.execute("SELECT at FROM heartbeat").fetchone()
    connection.close()
    assert at == 1_800_000_000_000


@pytest.mark.on_file
async def test_an_unusable_database_is_unhealthy_and_unavailable(
    client: Client, database: Path
) -> None:
    """503 from /healthz and from every endpoint, with when to try again; and it passes."""
    await client.lease("k")
    moved = database.rename(database.with_name("moved"))
    health = await client.http.get("http://localhost/healthz")
    assert health.status_code == 503
    assert "removed or replaced" in health.json()["message"]
    for response in (
        await client.post("/effects/ns/lease", effectKey="other"),
        await client.get("/effects"),
    ):
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert response.headers["retry-after"] == "1"
    moved.rename(database)
    assert (await client.http.get("http://localhost/healthz")).status_code == 200


async def test_a_silent_database_is_unhealthy(
    client: Client, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bounded time."""
    import asyncio

    async def silent() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(app.state.store, "probe", silent)
    monkeypatch.setattr("quatrain.server.health._PROBE_TIMEOUT", 0.0)
    response = await client.http.get("http://localhost/healthz")
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")


async def test_health_is_read_only_to_http(client: Client) -> None:
    """GET and HEAD."""
    statuses = [
        (await client.http.request(method, "http://localhost/healthz")).status_code
        for method in ("HEAD", "POST", "DELETE")
    ]
    assert statuses == [200, 405, 405]


async def test_after_the_end_everything_is_unavailable(database: Path) -> None:
    """Requests that come while the platform stops get 503, not a traceback."""
    app = create_app(Settings(database=database))
    async with app.router.lifespan_context(app):
        _, secret = app.state.keys.create()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/v1") as http:
        response = await Client(http, secret, app.state.keys).get("/effects")
    assert response.status_code == 503
