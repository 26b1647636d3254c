"""Tokens: handed out, renewed once, kept where nobody can read them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server import Settings, create_app
from quatrain.server.vendo import provider
from quatrain.server.vendo.broker import Connections
from quatrain.server.vendo.records import UnavailableError

from .._support import ServerClock
from ._support import APP, TENANT, Caller, change, refusal, rows, told

HOUR = 60 * 60 * 1_000
AHEAD = 5 * 60 * 1_000


async def test_a_pasted_key(caller: Caller, connections: Connections, clock: ServerClock) -> None:
    """Does not expire."""
    await connections.connect(TENANT, APP, "openai", key=Secret("sk-1"))
    clock.advance(1_000 * HOUR)
    assert {"access_token": "sk-1", "expires_at": None, "token_type": "Bearer"} == (
        await caller.get("/credentials/openai")
    )


async def test_a_granted_token(
    caller: Caller, connections: Connections, clock: ServerClock
) -> None:
    """Is the same until five minutes before its end, and then another."""
    await connections.connect(TENANT, APP, "slack")
    first = await caller.get("/credentials/slack")
    clock.advance(HOUR - AHEAD - 1)
    assert first == await caller.get("/credentials/slack")
    clock.advance(1)
    second = await caller.get("/credentials/slack")
    assert ("2027-01-15T09:00:00.000Z", "2027-01-15T09:55:00.000Z") == (
        first["expires_at"],
        second["expires_at"],
    )
    assert first["access_token"] != second["access_token"]
    assert second == await caller.get("/credentials/slack")
    assert ["connection.connected"] == told(caller.app)


async def test_many_ask_at_once(
    caller: Caller,
    connections: Connections,
    clock: ServerClock,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two platforms on one file: the provider is asked once, and all get what it gave."""
    made = await connections.connect(TENANT, APP, "slack")
    await connections.expire_token(TENANT, made.connection_id)
    asked: list[str] = []
    refreshed = provider.refreshed

    def counted(connection: Any, now: int, slug: str, refresh: Secret) -> Any:
        asked.append(slug)
        return refreshed(connection, now, slug, refresh)

    monkeypatch.setattr(provider, "refreshed", counted)
    second = create_app(Settings(database=database, background=False), now_ms=clock)
    async with second.router.lifespan_context(second):
        transport = httpx.ASGITransport(second)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as wire:
            there = Caller(second, wire, caller.secret)
            found = await asyncio.gather(
                *(who.get("/credentials/slack") for who in (caller, there) for _ in range(20)),
                caller.get("/credentials/_bulk", slugs="slack"),
            )
    assert ["slack"] == asked
    tokens = {each.get("access_token") or each["tokens"]["slack"]["access_token"] for each in found}
    assert len(tokens) == 1


async def test_the_provider_refuses(
    caller: Caller, connections: Connections, clock: ServerClock
) -> None:
    """The connection needs a person, which is told once, until it is granted again."""
    made = await connections.connect(TENANT, APP, "slack")
    await connections.revoke_grant(TENANT, made.connection_id)
    assert (await caller.get("/credentials/slack"))["access_token"]
    clock.advance(HOUR)
    for _ in range(2):
        response = await caller.send("GET", "/credentials/slack")
        error = response.json()["error"]
        assert (409, "connection_needs_reauth", "slack") == (
            *(response.status_code, error["code"], error["slug"]),
        )
        assert "http://localhost/connections/connect/slack" == error["connect_url"]
        assert caller.secret.reveal() not in response.text
    bulk = await caller.get("/credentials/_bulk", slugs="slack,gmail")
    assert {"slack": None, "gmail": None} == bulk["tokens"]
    await connections.connect(TENANT, APP, "slack")
    assert (await caller.get("/credentials/slack"))["access_token"]
    assert [
        "connection.connected",
        "connection.status_changed",
        "connection.connected",
    ] == told(caller.app)


async def test_what_has_nothing_to_take_back(connections: Connections) -> None:
    """A pasted key is not the provider's to refuse."""
    made = await connections.connect(TENANT, APP, "slack", key=Secret("xoxb"))
    for ask in (connections.revoke_grant, connections.expire_token):
        with pytest.raises(Exception, match="has no"):
            await ask(TENANT, made.connection_id)


async def test_several_at_once(caller: Caller, connections: Connections) -> None:
    """In the order asked for, null for what there is not."""
    await connections.connect(TENANT, APP, "openai", key=Secret("sk-1"))
    await connections.connect(TENANT, APP, "slack")
    found = (await caller.get("/credentials/_bulk", slugs="gmail,slack,openai,x,slack"))["tokens"]
    assert ["gmail", "slack", "openai", "x"] == list(found)
    assert (None, "sk-1", None) == (found["gmail"], found["openai"]["access_token"], found["x"])
    assert {"access_token", "expires_at", "token_type"} == found["slack"].keys()


@pytest.mark.parametrize(
    "query", [{}, {"slugs": ""}, {"slugs": "a,,b"}, {"slugs": ",".join(map(str, range(101)))}]
)
async def test_what_can_not_be_asked_for(caller: Caller, query: dict[str, str]) -> None:
    """Nothing, nothing in between, and too many."""
    assert (422, "validation_failed") == await refusal(
        caller, "GET", "/credentials/_bulk", params=query
    )


async def test_an_unknown_slug(caller: Caller) -> None:
    """There is nowhere to connect it."""
    response = await caller.send("GET", "/credentials/none")
    error = response.json()["error"]
    assert (404, "binding_missing") == (response.status_code, error["code"])
    assert "connect_url" not in error
    assert "openai" in error["suggested_fix"]


@pytest.mark.on_file
async def test_nothing_lies_open(
    platform: Starlette, connections: Connections, database: Path
) -> None:
    """No byte of any file beside the database is a token's."""
    await connections.connect(TENANT, APP, "openai", key=Secret("sk-quite-secret"))
    made = await connections.connect(TENANT, APP, "slack")
    await connections.expire_token(TENANT, made.connection_id)
    files = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    assert {"quatrain.db", "quatrain.db-wal", "quatrain.db.key"} <= files.keys()
    for name, content in files.items():
        assert b"sk-quite" not in content, name
        assert b"simulated-slack" not in content, name


async def test_tokens_that_were_swapped(caller: Caller, connections: Connections) -> None:
    """By who can write to the database and has no key: neither is handed out."""
    await connections.connect(TENANT, APP, "openai", key=Secret("sk-1"))
    await connections.connect(TENANT, APP, "telegram", key=Secret("t-1"))
    store = caller.app.state.store
    kept = rows(store, "SELECT connection_id, access FROM vendo_tokens")
    (one, first), (two, second) = kept
    change(store, "UPDATE vendo_tokens SET access = ? WHERE connection_id = ?", second, one)
    change(store, "UPDATE vendo_tokens SET access = ? WHERE connection_id = ?", first, two)
    assert (503, "unavailable") == await refusal(caller, "GET", "/credentials/openai")
    assert (503, "unavailable") == await refusal(
        caller, "GET", "/credentials/_bulk", params={"slugs": "telegram"}
    )
    change(store, "UPDATE vendo_tokens SET access = ? WHERE connection_id = ?", first, one)
    assert "sk-1" == (await caller.get("/credentials/openai"))["access_token"]


async def test_a_refusal_to_open_loses_nothing(
    caller: Caller, connections: Connections, clock: ServerClock
) -> None:
    """A token that can't be renewed for want of the key stays as it was."""
    await connections.connect(TENANT, APP, "slack")
    store = caller.app.state.store
    change(store, "UPDATE vendo_tokens SET refresh = ?", b"\1")
    before = rows(store, "SELECT * FROM vendo_tokens")
    clock.advance(HOUR)
    assert (503, "unavailable") == await refusal(caller, "GET", "/credentials/slack")
    assert before == rows(store, "SELECT * FROM vendo_tokens")
    assert [("connected",)] == rows(store, "SELECT status FROM vendo_connections")


async def test_resealing_stops_at_what_it_can_not_open(connections: Connections) -> None:
    """And says so."""
    store = connections._store
    await connections.connect(TENANT, APP, "slack")
    change(store, "UPDATE vendo_tokens SET refresh = ?", b"\1")
    with pytest.raises(UnavailableError):
        await connections.reseal()
