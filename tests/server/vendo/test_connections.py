"""Connections: who may use them, how they change, and that each change is told once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.applications import Starlette

from quatrain._catalogue import CATALOGUE
from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.vendo.broker import Connections
from quatrain.server.vendo.connections import Connection
from quatrain.server.vendo.records import NotThereError, RevokedForGoodError

from .._support import START, ServerClock
from ._support import APP, TENANT, Caller, refusal, rows, told

LIST = "/api/deployments/me/connections"
KEY = Secret("sk-1")


async def connected(connections: Connections, slug: str = "openai", **options: Any) -> Connection:
    """An integration, connected for the app "shop" unless it is said."""
    key = None if CATALOGUE[slug].oauth else KEY
    given: dict[str, Any] = {"tenant": TENANT, "app": APP, "key": key, **options}
    return await connections.connect(given.pop("tenant"), given.pop("app"), slug, **given)


async def listed(caller: Caller) -> dict[str, dict[str, Any]]:
    """What the list says, by slug."""
    return {each["slug"]: each for each in (await caller.get(LIST))["connections"]}


async def test_the_list(caller: Caller, connections: Connections) -> None:
    """What is connected, then what is not, and no token anywhere."""
    made = await connected(connections, "slack", metadata={"team": "T1"}, external_id="T1")
    found = (await caller.get(LIST))["connections"]
    assert {
        "id": made.connection_id,
        "external_id": "T1",
        "slug": "slack",
        "display_name": "Slack",
        "category": "messaging",
        "profile": "user_oauth",
        "status": "connected",
        "metadata": {"team": "T1"},
        "setup_url": None,
        "error_message": None,
        "connected_at": "2027-01-15T08:00:00.000Z",
        "env_bootstrap": {
            "vars": [{"name": "SLACK_BOT_TOKEN", "value_from": "credential.access_token"}],
            "restart": "gateway",
        },
    } == found[0]
    others = {each["slug"]: each for each in found[1:]}
    assert others.keys() == CATALOGUE.keys() - {"slack"}
    assert {"available"} == {each["status"] for each in others.values()}
    assert "http://localhost/connections/connect/openai" == others["openai"]["setup_url"]
    assert "byok_static" == others["openai"]["profile"]
    assert "simulated" not in json.dumps(found)


async def test_integrations(caller: Caller) -> None:
    """The catalogue."""
    found = (await caller.get("/api/integrations"))["integrations"]
    assert list(CATALOGUE) == [each["slug"] for each in found]
    slack = await caller.get("/api/integrations/slack")
    assert slack in found
    assert ("Slack", "user_oauth", ["user_oauth", "byok_static"], True) == (
        *(slack["name"], slack["default_profile"], slack["supported_profiles"], slack["enabled"]),
    )
    assert (404, "not_found") == await refusal(caller, "GET", "/api/integrations/none")


async def test_who_may_use_it(caller: Caller, connections: Connections) -> None:
    """The app that asked for it, and no other of the tenant, nor another tenant's."""
    made = await connected(connections)
    other, stranger = caller.other(), caller.other("shop", "elsewhere")
    assert "connected" == (await listed(caller))["openai"]["status"]
    assert "available" == (await listed(other))["openai"]["status"]
    assert "available" == (await listed(stranger))["openai"]["status"]
    for asker in (other, stranger):
        assert (404, "binding_missing") == await refusal(asker, "GET", "/credentials/openai")

    app = caller.app.state.vendo.apps.find(TENANT, "other")
    await connections.bind(TENANT, made.connection_id, app.id)
    assert "sk-1" == (await other.get("/credentials/openai"))["access_token"]
    assert ["connection.connected"] == told(caller.app, "other")
    await connections.unbind(TENANT, made.connection_id, app.id)
    assert (404, "binding_missing") == await refusal(other, "GET", "/credentials/openai")
    assert ["connection.connected", "connection.disconnected"] == told(caller.app, "other")
    assert ["connection.connected"] == told(caller.app)


async def test_a_users_own(caller: Caller, connections: Connections) -> None:
    """Goes before everybody's for that user, and is nobody else's."""
    everybody = await connected(connections)
    own = await connected(connections, user_id="bob", key=Secret("sk-bob"))
    assert everybody.connection_id == (await listed(caller))["openai"]["id"]
    for user, key, connection in (("bob", "sk-bob", own), ("eve", "sk-1", everybody)):
        token, _ = await caller.app.state.vendo.users.issue(TENANT, user)
        caller.user = token.reveal()
        assert connection.connection_id == (await listed(caller))["openai"]["id"]
        assert key == (await caller.get("/credentials/openai"))["access_token"]


async def test_a_users_own_that_does_not_work(caller: Caller, connections: Connections) -> None:
    """Is not passed over for everybody's, until it is disconnected."""
    await connected(connections)
    own = await connected(connections, user_id="bob", key=Secret("sk-bob"))
    await connections.set_status(TENANT, own.connection_id, "needs_reauth")
    token, _ = await caller.app.state.vendo.users.issue(TENANT, "bob")
    caller.user = token.reveal()
    assert (409, "connection_needs_reauth") == await refusal(caller, "GET", "/credentials/openai")
    await connections.disconnect(TENANT, own.connection_id)
    assert "sk-1" == (await caller.get("/credentials/openai"))["access_token"]


async def test_what_is_told(
    platform: Starlette, connections: Connections, clock: ServerClock
) -> None:
    """Each change once, what changes nothing not at all."""
    made = await connected(connections)
    one = made.connection_id
    clock.advance(1)
    again = await connected(connections, key=Secret("sk-2"))
    await connections.set_metadata(TENANT, one, {"a": 1})
    await connections.set_metadata(TENANT, one, {"a": 1})
    await connections.set_status(TENANT, one, "error", "odd")
    await connections.set_status(TENANT, one, "error", "odd")
    await connections.set_status(TENANT, one, "error", "odder")
    mended = await connected(connections)
    await connections.disconnect(TENANT, one)
    await connections.disconnect(TENANT, one)
    anew = await connected(connections)

    assert [
        "connection.connected",
        "connection.changed",
        "connection.changed",
        "connection.status_changed",
        "connection.changed",
        "connection.connected",
        "connection.disconnected",
        "connection.connected",
    ] == told(platform)
    assert (one, START + 1) == (again.connection_id, again.connected_at)
    assert ("connected", None, '{"a":1}') == (mended.status, mended.error_message, mended.metadata)
    assert one != anew.connection_id
    events = told(platform, whole=True)
    assert {"id", "at", "kind", "slug", "connection_id", "status"} == events[3].keys()
    assert ("openai", one, "error", "2027-01-15T08:00:00.001Z") == (
        *(events[3]["slug"], events[3]["connection_id"], events[3]["status"], events[3]["at"]),
    )


async def test_every_app_is_told(platform: Starlette, connections: Connections) -> None:
    """That another one connected it again."""
    await connected(connections)
    await connected(connections, app="other")
    assert ["connection.connected", "connection.changed"] == told(platform)
    assert ["connection.connected"] == told(platform, "other")


async def test_one_that_was_disconnected(caller: Caller, connections: Connections) -> None:
    """Has no token any more, is told as revoked, and is connected anew."""
    made = await connected(connections, "slack")
    await connections.disconnect(TENANT, made.connection_id)
    store = caller.app.state.store
    assert [] == rows(store, "SELECT * FROM vendo_tokens")
    assert [(1,)] == rows(store, "SELECT revoked_at IS NOT NULL FROM vendo_provider_grants")
    shown = (await listed(caller))["slack"]
    assert ("revoked", "http://localhost/connections/connect/slack") == (
        shown["status"],
        shown["setup_url"],
    )
    response = await caller.send("GET", "/credentials/slack")
    error = response.json()["error"]
    assert (403, "connection_revoked", "slack", shown["setup_url"]) == (
        response.status_code,
        *(error["code"], error["slug"], error["connect_url"]),
    )
    for change in (
        connections.set_status(TENANT, made.connection_id, "connected"),
        connections.set_metadata(TENANT, made.connection_id, {}),
        connections.bind(TENANT, made.connection_id, 1),
    ):
        with pytest.raises(RevokedForGoodError):
            await change
    await connected(connections, "slack")
    assert "connected" == (await listed(caller))["slack"]["status"]
    assert (await caller.get("/credentials/slack"))["access_token"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("needs_reauth", (409, "connection_needs_reauth")),
        ("error", (502, "upstream_error")),
        ("pending_setup", (404, "binding_missing")),
    ],
)
async def test_one_that_does_not_work(
    caller: Caller, connections: Connections, status: str, answer: tuple[int, str]
) -> None:
    """Its token is not handed out; nor lost."""
    made = await connected(connections)
    await connections.set_status(TENANT, made.connection_id, status, "because")
    assert answer == await refusal(caller, "GET", "/credentials/openai")
    found = (await listed(caller))["openai"]
    assert (status, "because") == (found["status"], found["error_message"])
    await connections.set_status(TENANT, made.connection_id, "connected")
    assert "sk-1" == (await caller.get("/credentials/openai"))["access_token"]


async def test_a_key_of_one_connection(caller: Caller, connections: Connections) -> None:
    """Opens its token, and nothing else, until it is disconnected."""
    made = await connected(connections)
    await connected(connections, "telegram")
    own = caller.other(APP, connection_id=made.connection_id)
    assert own.secret.reveal().startswith("vendo_ck_")
    assert "sk-1" == (await own.get("/credentials/openai"))["access_token"]
    assert (403, "forbidden") == await refusal(own, "GET", "/credentials/telegram")
    assert (403, "forbidden") == await refusal(own, "GET", LIST)
    found = await own.get("/credentials/_bulk", slugs="openai,telegram")
    assert ["sk-1", None] == [each and each["access_token"] for each in found["tokens"].values()]

    await connections.disconnect(TENANT, made.connection_id)
    await connected(connections)
    assert (403, "connection_revoked") == await refusal(own, "GET", "/credentials/openai")
    (key,) = [each for each in caller.app.state.vendo.keys.list(TENANT) if each.connection_id]
    assert ("openai", made.connection_id) == (key.integration, key.connection_id)


async def test_a_key_of_a_connection_that_its_app_may_use_no_more(
    caller: Caller, connections: Connections
) -> None:
    """Opens nothing, neither the token nor the toolkit's actions, until the app may again."""
    made = await connected(connections, "slack")
    own = caller.other(APP, connection_id=made.connection_id)
    app = caller.app.state.vendo.apps.find(TENANT, APP)
    await connections.unbind(TENANT, made.connection_id, app.id)
    assert (404, "binding_missing") == await refusal(own, "GET", "/credentials/slack")
    assert {"tokens": {"slack": None}} == await own.get("/credentials/_bulk", slugs="slack")
    send = {"action_id": "slack.messages.send", "args": {"channel": "#a", "text": "b"}}
    refused = await own.send("POST", "/composio/v1/execute", json=send)
    assert (403, "binding_missing") == (refused.status_code, refused.json()["error"])
    await connections.bind(TENANT, made.connection_id, app.id)
    assert "access_token" in await own.get("/credentials/slack")


async def test_another_tenants(connections: Connections) -> None:
    """Is not there."""
    made = await connected(connections)
    for change in (
        connections.disconnect("other", made.connection_id),
        connections.set_status("other", made.connection_id, "error"),
        connections.shown("other", made.connection_id),
        connections.revoke_grant("other", made.connection_id),
    ):
        with pytest.raises(NotThereError):
            await change


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "none"},
        {"slug": "openai", "key": None},
        {"key": Secret(" ")},
        {"key": Secret("x" * 10_001)},
        {"key": Secret("a\nb")},
        {"key": Secret("é")},
        {"user_id": " "},
        {"user_id": "x" * 201},
        {"app": "No"},
        {"tenant": ""},
        {"external_id": ""},
        {"metadata": {"x": "y" * 70_000}},
    ],
)
async def test_what_can_not_be_connected(
    platform: Starlette, connections: Connections, wrong: dict[str, Any]
) -> None:
    """Is refused without repeating the key, and nothing is made."""
    given = {"tenant": TENANT, "app": APP, "slug": "openai", "key": KEY, **wrong}
    with pytest.raises(InputError) as caught:
        await connections.connect(given.pop("tenant"), given.pop("app"), given.pop("slug"), **given)
    if (key := given["key"]) and key.reveal().strip():
        assert key.reveal() not in str(caught.value)
    assert [] == rows(platform.state.store, "SELECT * FROM vendo_connections")


async def test_a_key_is_trimmed(caller: Caller, connections: Connections) -> None:
    """People paste with a line's end."""
    await connected(connections, key=Secret(" sk-3\n"))
    assert "sk-3" == (await caller.get("/credentials/openai"))["access_token"]
