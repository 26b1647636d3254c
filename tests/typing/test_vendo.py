"""What type checkers make of Vendo's client: read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

import httpx

from quatrain import AsyncClient, Client
from quatrain import vendo as shortcuts
from quatrain.vendo import (
    AsyncVendo,
    Balance,
    Connection,
    Integration,
    Message,
    SpendCaps,
    Vendo,
    WebhookEvent,
    WebhooksAPI,
    aio,
    deployment,
    sso,
)


async def awaited(vendo: AsyncVendo) -> None:
    assert_type(await vendo.token("openai", timeout=1), str)
    assert_type(await vendo.tokens(["openai"]), dict[str, str | None])
    assert_type(vendo.session("openai", base_url="https://a.example"), httpx.AsyncClient)
    assert_type(await vendo.connections.list(), list[Connection])
    assert_type(await vendo.connections.get("openai"), Connection | None)
    assert_type(await vendo.integrations.list(), list[Integration])
    assert_type(await vendo.integrations.get("openai"), Integration | None)
    assert_type(vendo.integrations.env_vars("openai"), list[str])
    assert_type(await vendo.billing.balance(), Balance)
    assert_type(await vendo.billing.spend_caps(), SpendCaps)
    assert_type(await vendo.billing.usage("day"), dict[str, Any])
    assert_type(await vendo.data.execute("echo", {"a": 1}, effect_key="e"), Any)
    assert_type(vendo.connect_url("slack", return_to="https://a.example"), str)
    assert_type(vendo.for_user("jwt"), AsyncVendo)
    assert_type(vendo.for_request({}), AsyncVendo)
    async for message in vendo.events.subscribe(last_event_id="7"):
        assert_type(message, Message)
    async with vendo.events.subscribe() as stream:
        assert_type(stream.last_event_id, str | None)


def called(vendo: Vendo) -> None:
    assert_type(vendo.token("openai"), str)
    assert_type(vendo.session("openai"), httpx.Client)
    assert_type(vendo.connections.list(), list[Connection])
    for message in vendo.events.subscribe():
        assert_type(message, Message)


async def module_level() -> None:
    assert_type(shortcuts.token("openai"), str)
    assert_type(shortcuts.billing.balance(), Balance)
    assert_type(shortcuts.session("openai"), httpx.Client)
    assert_type(await aio.token("openai"), str)
    assert_type(await aio.connections.list(), list[Connection])
    assert_type(aio.session("openai"), httpx.AsyncClient)
    assert_type(deployment.tenant_id, str | None)
    assert_type(sso.is_enabled(), bool)
    assert_type(WebhooksAPI("s").verify({}, b""), WebhookEvent)


async def refused(vendo: AsyncVendo) -> None:
    await vendo.billing.usage("year")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    vendo.connect_url()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await vendo.token("openai", effect_key="no write")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def held(q: AsyncClient, s: Client) -> None:
    assert_type(q.vendo, AsyncVendo)
    assert_type(s.vendo, Vendo)
