"""What type checkers make of Vendo's webhooks, sign-on and testing helpers: read, never run."""

from __future__ import annotations

import builtins
from typing import Any, assert_type

from quatrain._secret import Secret
from quatrain.models.vendo import Balance, Connection, Message, VendoIdentity, WebhookEvent
from quatrain.vendo import deployment, sso
from quatrain.vendo.testing import (
    MockAsyncClient,
    MockCall,
    MockClient,
    fake_connection,
    webhook_delivery,
)
from quatrain.vendo.webhooks import WebhooksAPI, sign


def webhooks(headers: dict[bytes, bytes], body: bytes) -> None:
    api = WebhooksAPI()
    WebhooksAPI("whsec", 60)
    WebhooksAPI([Secret("new"), "old"], max_age_sec=1.5, now=lambda: 0.0)
    assert_type(api.verify(headers, body), WebhookEvent)
    assert_type(api.verify(headers, body.decode()).id, str)
    assert_type(sign("whsec", body, 1), str)
    assert_type(webhook_delivery("whsec", "a.b", {"x": 1}), tuple[dict[str, str], bytes])
    api.verify(headers, {"parsed": True})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WebhooksAPI(b"whsec")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def signed_in(headers: object) -> None:
    assert_type(sso.is_enabled(), bool)
    assert_type(sso.identity_from_headers(headers), VendoIdentity | None)
    assert_type(sso.identity_response(headers), dict[str, str])
    assert_type(sso.logout_url(), str)


def deployed() -> None:
    assert_type(deployment.is_running_on_vendo(), bool)
    assert_type(deployment.tenant_id, str | None)
    assert_type(deployment.deployment_id, str | None)
    assert_type(deployment.deployment_slug, str | None)
    assert_type(deployment.api_key, str | None)
    assert_type(deployment.api_url, str)
    deployment.tenant  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


async def awaited() -> None:
    vendo = MockAsyncClient.with_connections([fake_connection(slug="x")])
    assert_type(vendo, MockAsyncClient)
    assert_type(vendo.for_user("jwt"), MockAsyncClient)
    assert_type(await vendo.token("x"), str)
    assert_type(await vendo.tokens(["x"]), dict[str, str | None])
    assert_type(await vendo.connections.list(), builtins.list[Connection])
    assert_type(await vendo.connections.get("x"), Connection | None)
    assert_type(vendo.integrations.env_vars("x"), builtins.list[str])
    async for message in vendo.events.subscribe():
        assert_type(message, Message)


def called() -> None:
    with MockClient([fake_connection("x", credential={"api_key": "k"})]) as vendo:
        assert_type(vendo, MockClient)
        assert_type(vendo.token("x"), str)
        assert_type(vendo.billing.balance(), Balance)
        assert_type(vendo.data.execute("A"), Any)
        assert_type(vendo.calls, builtins.list[MockCall])
        for message in vendo.events.subscribe():
            assert_type(message, Message)
