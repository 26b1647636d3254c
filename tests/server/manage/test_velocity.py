"""Velocity OS, managed: installs, tasks, team, modules and the subscription."""

import json

import httpx
import pytest

from quatrain.server.velocity.values import SCOPES


async def extension_with(app, key):
    """Velocity OS's own answer to ``whoami`` with a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await client.get(
            "http://localhost/api/v1/extensions/whoami",
            headers={"authorization": f"Bearer {key}"},
        )


async def payloads(api, event):
    """What was sent of an event, newest first."""
    return [found["payload"] for found in await api.items("/webhooks/deliveries", event=event)]


@pytest.fixture
async def endpoint(api):
    """Somebody who gets every event."""
    return await api.made("/webhooks", url="http://127.0.0.1:9/x", extension="local")


async def test_the_account(api):
    """Who the founder is."""
    account = (await api.get("/velocity/account")).json()

    assert ("local", "Maya Okafor", "academy") == (
        account["tenant"],
        account["name"],
        account["tier"],
    )


async def test_seed(api_of):
    """An account without data gets the demo's, once."""
    acme = api_of("acme")
    await acme.made("/velocity/seed")
    first = [await acme.items("/velocity/team"), await acme.items("/velocity/modules")]
    await acme.made("/velocity/seed")

    assert [3, 5] == [len(found) for found in first]
    assert first == [await acme.items("/velocity/team"), await acme.items("/velocity/modules")]


async def test_install(app, api):
    """The key is shown once, and opens what its scopes say."""
    made = await api.made(
        "/velocity/installs", slug="ghl-sync", name="GHL Sync", scopes=["read:team"], sandbox=True
    )
    said = (await extension_with(app, made["key"])).json()
    listed = (await api.items("/velocity/installs"))[-1]

    assert ("GHL Sync", ["read:team"], True) == (
        said["extension_name"],
        said["data"]["extension"]["granted_scopes"],
        said["sandbox"],
    )
    assert ("ghl-sync", "GHL Sync", ["read:team"], True, None) == (
        listed["extension_slug"],
        listed["extension_name"],
        listed["scopes"],
        listed["sandbox"],
        listed["revoked_at"],
    )
    assert made["key"] not in str(await api.items("/velocity/installs"))
    assert "key" not in listed


async def test_install_with_everything_by_default(api):
    """No scopes given: all of them, on the founder's real data."""
    made = await api.made("/velocity/installs", slug="ghl-sync")
    slugs = [found["slug"] for found in await api.items("/velocity/extensions")]

    assert (sorted(SCOPES), False) == (made["scopes"], made["sandbox"])
    assert ["local", "ghl-sync"] == slugs


async def test_revoke(app, api, endpoint):
    """The key opens nothing any more, and the extension is told."""
    made = await api.made("/velocity/installs", slug="local")
    revoked = await api.made(f"/velocity/installs/{made['install_id']}/revoke")

    assert revoked["revoked_at"] is not None
    assert 401 == (await extension_with(app, made["key"])).status_code
    assert [{"install_id": made["install_id"]}] == await payloads(api, "extension.revoked")


async def test_tasks(api, endpoint):
    """A task is added, changed and completed; each of these sends its event."""
    added = await api.made(
        "/velocity/tasks", action="Call", module_source="F1", category="people", assignee="Jo"
    )
    path = f"/velocity/tasks/{added['task_id']}"
    changed = await api.made(path, assignee="", quadrant="do_first", deadline="2026-12-01")
    done = await api.made(f"{path}/complete")
    backlog = (await api.get("/velocity/tasks")).json()

    assert ("Call", "people", "Jo", None) == (
        *(added["action"], added["category"], added["assignee"]),
        added["completed_at"],
    )
    assert ("Call", None, "do_first", "2026-12-01") == (
        *(changed["action"], changed["assignee"], changed["quadrant"]),
        changed["deadline"],
    )
    assert done["completed_at"] is not None
    assert done in backlog["completed"]
    assert done["task_id"] not in [task["task_id"] for task in backlog["open"]]
    assert ["Call"] == [sent["action"] for sent in await payloads(api, "tasks.created")]
    assert ["Call", "Call"] == [sent["action"] for sent in await payloads(api, "tasks.updated")]


async def test_a_completed_task_stays_as_it_is(api):
    """What is done is neither changed nor done again."""
    task = (await api.get("/velocity/tasks")).json()["completed"][0]
    path = f"/velocity/tasks/{task['task_id']}"
    answers = [await api.post(path, action="x"), await api.post(f"{path}/complete")]

    assert [(409, "task_completed")] * 2 == [(a.status_code, a.json()["code"]) for a in answers]


async def test_team(api, endpoint):
    """Somebody joins."""
    added = await api.made("/velocity/team", name="Ann", role="Ops", email="ann@example.com")

    assert added == (await api.items("/velocity/team"))[-1]
    assert [added] == await payloads(api, "team.added")


@pytest.mark.parametrize("output", [{"a": [1]}, None, "text", 0, []])
async def test_modules(app, api, endpoint, output):
    """A module is completed with any JSON, whatever the case of its code."""
    done = await api.made("/velocity/modules/x9", output=output)
    account = await app.state.velocity.account_of("local")
    found = await app.state.velocity.module(account.id, "X9")

    assert ("X9", "completed", True) == (done["code"], done["status"], done["has_output"])
    assert done == (await api.items("/velocity/modules"))[-1]
    assert ["X9"] == [sent["module_code"] for sent in await payloads(api, "module.updated")]
    assert output == json.loads(found.output)


@pytest.mark.parametrize(("given", "told"), [({}, "manual"), ({"source": "billing"}, "billing")])
async def test_subscription(api, endpoint, given, told):
    """The tier changes, and it is told who changed it."""
    account = await api.made("/velocity/subscription", tier="growth", **given)

    assert "growth" == account["tier"]
    assert [{"new_tier": "growth", "source": told}] == await payloads(api, "subscription.changed")


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/velocity/installs", {"slug": "Not A Slug"}, 422, "an extension's slug is 1 to 100 "),
        ("/velocity/installs", {}, 422, "body.slug: is missing"),
        ("/velocity/installs", {"slug": "x", "scopes": []}, 422, "body.scopes: must name at "),
        ("/velocity/installs", {"slug": "x", "scopes": ["odd"]}, 422, "body.scopes.0: must be one"),
        ("/velocity/installs", {"slug": "x", "sandbox": 1}, 422, "body.sandbox: expected true or "),
        ("/velocity/installs/ins_99/revoke", {}, 404, "there is no install 'ins_99'"),
        ("/velocity/installs/x/revoke", {}, 404, "there is no install 'x'"),
        ("/velocity/tasks", {"action": "x"}, 422, "body.module_source: is missing"),
        ("/velocity/tasks/task_1", {}, 422, "body: must change something"),
        ("/velocity/tasks/task_1", {"action": ""}, 422, "body.action: must not be empty"),
        ("/velocity/tasks/task_1", {"deadline": "soon"}, 422, "body.deadline: must be a date "),
        ("/velocity/tasks/task_99", {"action": "x"}, 404, "there is no task"),
        ("/velocity/tasks/x/complete", {}, 404, "there is no task 'x'"),
        ("/velocity/team", {"name": " "}, 422, "body.name: must not be blank"),
        ("/velocity/team", {"name": "x", "email": "y"}, 422, "body.email: must hold an @"),
        ("/velocity/modules/X", {}, 422, "body.output: is missing"),
        ("/velocity/modules/X%0AY", {"output": 1}, 422, "a module's code is 1 to 50 printable "),
        ("/velocity/subscription", {"tier": ""}, 422, "body.tier: must not be empty"),
        ("/velocity/subscription", {"tier": "a\nb"}, 422, "a tier is 1 to 200 printable "),
    ],
)
async def test_what_can_not_be(api, path, body, status, message):
    """Refused with a sentence that says what is wrong."""
    answer = await api.post(path, **body)

    assert status == answer.status_code
    assert answer.json()["message"].startswith(message)


async def test_who_writes_wakes_the_dispatcher(api, wakes):
    """What a change put into the outbox does not wait for the next look; reading wakes nobody."""
    await api.get("/velocity/tasks")
    after_reading = list(wakes)
    await api.made("/velocity/tasks", action="x", module_source="y")

    assert ([], ["woken"]) == (after_reading, wakes)


async def test_what_fails_wakes_nobody(api, wakes):
    """A refused change has put nothing anywhere."""
    await api.post("/velocity/tasks", action="x")

    assert [] == wakes
