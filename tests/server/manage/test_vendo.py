"""Vendo, managed: apps, keys, connections and users' tokens."""

import httpx
import pytest


async def with_key(app, key, path, **headers):
    """Vendo's own answer to a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await client.get(
            f"http://localhost{path}", headers={"authorization": f"Bearer {key}", **headers}
        )


async def test_apps(api):
    """Made, renamed, listed."""
    await api.made("/vendo/apps", slug="shop")
    await api.made("/vendo/apps", slug="shop", name="The shop")
    await api.made("/vendo/apps", slug="shop")

    assert [("shop", "The shop")] == [
        (each["app"], each["name"]) for each in await api.items("/vendo/apps")
    ]
    assert 422 == (await api.post("/vendo/apps", slug="The shop")).status_code


async def test_keys(app, api):
    """A secret is shown once, and opens its app until it is revoked."""
    made = await api.made("/vendo/keys", app="shop", expires_at="2027-01-16T00:00:00Z")
    before = await with_key(app, made["key"], "/api/deployments/me/connections")
    (listed,) = await api.items("/vendo/keys")
    revoked = await api.made(f"/vendo/keys/{made['id']}/revoke")
    after = await with_key(app, made["key"], "/api/deployments/me/connections")

    assert ("shop", None, "2027-01-16T00:00:00.000Z", None) == (
        *(listed["app"], listed["integration"], listed["expires_at"], listed["revoked_at"]),
    )
    assert made["key"].startswith(listed["hint"])
    assert "key" not in listed
    assert revoked["revoked_at"] is not None
    assert [200, 401] == [before.status_code, after.status_code]
    assert 404 == (await api.post("/vendo/keys/key_9/revoke")).status_code
    assert 422 == (await api.post("/vendo/keys", expires_at="2026-01-16")).status_code


async def test_a_connection(app, api):
    """From its key to its end; the key is in no answer."""
    made = await api.made(
        "/vendo/connections", slug="openai", key="sk-secret", metadata={"plan": "x"}
    )
    one = f"/vendo/connections/{made['connection_id']}"
    key = (await api.made("/vendo/keys"))["key"]
    own = (await api.made("/vendo/keys", connection_id=made["connection_id"]))["key"]
    tokens = [await with_key(app, each, "/credentials/openai") for each in (key, own)]
    bound = await api.made(f"{one}/bind", app="shop")
    unbound = await api.made(f"{one}/unbind", app="shop")
    changed = await api.made(f"{one}/metadata", metadata={"plan": "y"})
    stale = await api.made(f"{one}/status", status="needs_reauth", error_message="too old")
    gone = await api.made(f"{one}/disconnect")

    assert ("openai", None, ["local"], {"plan": "x"}, "connected") == (
        *(made["slug"], made["user_id"], made["apps"], made["metadata"], made["status"]),
    )
    assert ["sk-secret"] * 2 == [answer.json()["access_token"] for answer in tokens]
    assert [["local", "shop"], ["local"]] == [bound["apps"], unbound["apps"]]
    assert {"plan": "y"} == changed["metadata"]
    assert ("needs_reauth", "too old") == (stale["status"], stale["error_message"])
    assert "revoked" == gone["status"]
    assert [] == await api.items("/vendo/connections")
    assert [gone] == await api.items("/vendo/connections", revoked="true")
    assert gone == (await api.get(one)).json()
    assert "sk-secret" not in str([made, bound, changed, stale, gone])
    refused = await api.post(f"{one}/status", status="connected")
    assert (409, "connection_revoked") == (refused.status_code, refused.json()["code"])


async def test_a_grant_that_is_taken_back(app, api):
    """Is found out when the token is renewed."""
    made = await api.made("/vendo/connections", slug="slack", app="shop")
    one = f"/vendo/connections/{made['connection_id']}"
    key = (await api.made("/vendo/keys", app="shop"))["key"]
    await api.made(f"{one}/revoke-grant")
    before = await with_key(app, key, "/credentials/slack")
    await api.made(f"{one}/expire-token")
    after = await with_key(app, key, "/credentials/slack")

    assert [200, 409] == [before.status_code, after.status_code]
    assert "needs_reauth" == (await api.get(one)).json()["status"]
    again = await api.post(f"{one}/revoke-grant")
    assert (404, "not_found") == (again.status_code, again.json()["code"])


async def test_by_parts(api):
    """Oldest first."""
    for slug in ("slack", "gmail", "notion"):
        await api.made("/vendo/connections", slug=slug)
    pages = [await api.items("/vendo/connections", limit=2, offset=n) for n in (0, 2)]

    assert ["slack", "gmail", "notion"] == [each["slug"] for page in pages for each in page]


async def test_a_users_token(app, api):
    """Lets an app act for the user, whose own connection it then has."""
    await api.made("/vendo/connections", slug="slack", user_id="bob", key="xoxb-bob")
    key = (await api.made("/vendo/keys"))["key"]
    made = await api.made("/vendo/user-tokens", user_id="bob", seconds=60)
    scoped = {"x-vendo-user-jwt": made["user_jwt"]}
    answers = [
        await with_key(app, key, "/credentials/slack"),
        await with_key(app, key, "/credentials/slack", **scoped),
    ]

    assert [404, 200] == [answer.status_code for answer in answers]
    assert ("bob", "2027-01-15T08:01:00.000Z") == (made["user_id"], made["expires_at"])


async def test_resealing(api):
    """Nothing is to be done under the same key."""
    await api.made("/vendo/connections", slug="slack")

    assert {"resealed": 0} == await api.made("/vendo/reseal")


@pytest.mark.parametrize(
    "body",
    [
        {"slug": "openai"},
        {"slug": "none", "key": "k"},
        {"slug": "openai", "key": "a\nb"},
        {"slug": "slack", "user_id": "\n"},
        {"slug": "slack", "app": "A"},
    ],
)
async def test_what_can_not_be_connected(api, body):
    """Says why, and makes nothing."""
    refused = await api.post("/vendo/connections", **body)

    assert (422, "validation_failed") == (refused.status_code, refused.json()["code"])
    assert [] == await api.items("/vendo/connections", revoked="true")


async def test_another_tenant(api, api_of):
    """Sees none of it."""
    made = await api.made("/vendo/connections", slug="slack")
    await api.made("/vendo/keys")
    other = api_of("acme")

    for path in ("apps", "keys", "connections"):
        assert [] == await other.items(f"/vendo/{path}")
    one = f"/vendo/connections/{made['connection_id']}"
    assert 404 == (await other.get(one)).status_code
    assert 404 == (await other.post(f"{one}/disconnect")).status_code
    assert 404 == (await other.post("/vendo/keys/key_1/revoke")).status_code
    assert 422 == (await other.post("/vendo/keys", connection_id=made["connection_id"])).status_code
