"""The Extension API's wire: every endpoint, scope and refusal. Source: contracts, Velocity OS."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server.velocity import Account

from ._support import Extension

READS = {
    "/profile": "read:profile",
    "/modules": "read:modules",
    "/modules/F6": "read:modules",
    "/offers": "read:offers",
    "/team": "read:team",
    "/partnerships": "read:partnerships",
    "/tasks": "read:tasks",
    "/academy/programs": "read:academy",
}
WRITES = {"/tasks": "write:tasks", "/team": "write:entities"}
BODIES: dict[str, dict[str, Any]] = {
    "/tasks": {"action": "a", "module_source": "m"},
    "/team": {"name": "n"},
}


async def test_whoami_in_the_contracts_words(extension: Extension, founder: Account) -> None:
    """The envelope and every field of the answer."""
    response = await extension.get("/whoami")
    scopes = [
        *("read:academy", "read:modules", "read:offers", "read:partnerships", "read:profile"),
        *("read:tasks", "read:team", "write:entities", "write:notes", "write:tasks"),
    ]
    assert 200 == response.status_code
    assert {
        "ok": True,
        "data": {
            "user": {
                "email": "maya@harborandpine.example",
                "name": "Maya Okafor",
                "tier": "academy",
                "venture_id": "default",
            },
            "extension": {
                "id": 1,
                "name": "Sync",
                "slug": "sync",
                "developer": "Dev",
                "granted_scopes": scopes,
            },
        },
        "extension_id": 1,
        "extension_name": "Sync",
        "venture_id": "default",
        "sandbox": False,
    } == response.json()


async def test_the_profile_is_free_form(extension: Extension) -> None:
    """An object, as it is stored."""
    profile = (await extension.data("/profile"))["profile"]
    assert ("Harbor & Pine", 4) == (profile["business_name"], profile["team_size"])


async def test_modules_and_their_outputs(extension: Extension) -> None:
    """A list without outputs; one output, whatever the case of its code."""
    modules = (await extension.data("/modules"))["modules"]
    assert ["F1", "F6", "C3", "L12", "O4"] == [module["code"] for module in modules]
    assert {
        "code": "F1",
        "status": "completed",
        "completed_at": "2026-01-19T16:20:00.000Z",
        "has_output": True,
    } == modules[0]
    in_progress = {"status": "in_progress", "completed_at": None, "has_output": False}
    assert {"code": "L12", **in_progress} == modules[3]
    found = await extension.data("/modules/f6")
    assert {"code", "output"} == set(found)
    assert ("F6", "retainer") == (found["code"], found["output"]["pricing_model"])


@pytest.mark.parametrize("code", ["L12", "Z9", "%2e%2e%2fwhoami", "F6%20", "'--"])
async def test_a_module_that_is_not_completed_is_not_found(extension: Extension, code: str) -> None:
    """404, in progress or unheard of."""
    response = await extension.get(f"/modules/{code}")
    assert (404, "not_found") == (response.status_code, response.json()["error"]["code"])


async def test_the_other_lists(extension: Extension) -> None:
    """The contract's fields and no others."""
    offers = (await extension.data("/offers"))["offers"]
    assert {
        "id": "offer_audit",
        "name": "Booking Page Audit",
        "status": "approved",
        "created_at": "2026-03-20T09:00:00.000Z",
        "updated_at": "2026-03-20T09:00:00.000Z",
        "c3_output": None,
    } == offers[1]
    assert 11_400 == offers[0]["c3_output"]["price"]
    assert {
        "name": "Jonas Weidner",
        "role": "Operations lead",
        "email": "jonas@harborandpine.example",
    } == (await extension.data("/team"))["team"][0]
    assert {
        "name": "Lakeside Hotels Alliance",
        "type": "referral",
        "contact": "Greta Holm",
    } == (await extension.data("/partnerships"))["partnerships"][0]
    programs = (await extension.data("/academy/programs"))["programs"]
    assert {"id", "name", "description", "status", "created_at"} == set(programs[0])
    tasks = await extension.data("/tasks")
    assert {"open", "completed"} == set(tasks)
    assert {
        "module_source": "L12",
        "action": "Stop the Thursday status call",
        "category": None,
        "timeframe": None,
        "quadrant": "eliminate",
        "assignee": None,
        "deadline": None,
    } == tasks["open"][4]
    assert {
        "id": "task_6",
        "action": "Move every client to the new retainers",
        "completed_at": "2026-03-27T13:15:00.000Z",
    } == tasks["completed"][0]


async def test_only_the_academys_tier_has_programs(
    app: Starlette, extension: Extension, founder: Account
) -> None:
    """An empty list for others."""
    await app.state.velocity.set_tier(founder.id, "growth", "downgrade")
    assert {"programs": []} == await extension.data("/academy/programs")


async def test_a_task_is_created(extension: Extension) -> None:
    """With all seven fields; empty ones are absent."""
    body = {
        "action": "Call the bank",
        "module_source": "F6",
        "category": "finance",
        "timeframe": "",
        "quadrant": "do_first",
        "assignee": "",
        "deadline": "2026-06-01",
    }
    response = await extension.post("/tasks", body)
    expected = {**body, "timeframe": None, "assignee": None}
    assert (200, {"created": expected}) == (response.status_code, response.json()["data"])
    assert expected == (await extension.data("/tasks"))["open"][-1]


async def test_a_member_is_added(extension: Extension) -> None:
    """A name is enough."""
    full = {"name": "Bo", "role": "Design", "email": "bo@acme.example"}
    assert {"created": full} == (await extension.post("/team", full)).json()["data"]
    response = await extension.post("/team", {"name": "Cy", "email": None})
    bare = {"name": "Cy", "role": "", "email": ""}
    assert {"created": bare} == response.json()["data"]
    assert [full, bare] == (await extension.data("/team"))["team"][-2:]


@pytest.mark.parametrize(
    ("path", "changes", "place", "kind"),
    [
        ("/tasks", {"action": ""}, "body.action", "value"),
        ("/tasks", {"action": " \t"}, "body.action", "value"),
        ("/tasks", {"action": None}, "body.action", "type"),
        ("/tasks", {"action": 5}, "body.action", "type"),
        ("/tasks", {"action": "x" * 2_001}, "body.action", "value"),
        ("/tasks", {"module_source": ""}, "body.module_source", "value"),
        ("/tasks", {"module_source": "x" * 201}, "body.module_source", "value"),
        ("/tasks", {"category": "sales"}, "body.category", "value"),
        ("/tasks", {"timeframe": "today"}, "body.timeframe", "value"),
        ("/tasks", {"quadrant": "DO_FIRST"}, "body.quadrant", "value"),
        ("/tasks", {"quadrant": ["do_first"]}, "body.quadrant", "type"),
        ("/tasks", {"assignee": "x" * 201}, "body.assignee", "value"),
        ("/tasks", {"deadline": "2026-02-29"}, "body.deadline", "value"),
        ("/tasks", {"deadline": "2026-1-1"}, "body.deadline", "value"),
        ("/tasks", {"deadline": "20260101"}, "body.deadline", "value"),
        ("/tasks", {"deadline": "2026-01-01T00:00:00Z"}, "body.deadline", "value"),
        ("/tasks", {"deadline": "٢٠٢٦-01-01"}, "body.deadline", "value"),
        ("/team", {"name": ""}, "body.name", "value"),
        ("/team", {"name": " "}, "body.name", "value"),
        ("/team", {"name": "x" * 201}, "body.name", "value"),
        ("/team", {"role": "x" * 201}, "body.role", "value"),
        ("/team", {"email": "nowhere"}, "body.email", "value"),
        ("/team", {"email": f"{'x' * 320}@"}, "body.email", "value"),
    ],
)
async def test_values_are_enforced(
    extension: Extension, path: str, changes: dict[str, Any], place: str, kind: str
) -> None:
    """422, which names the place, and nothing is written."""
    before = await extension.data(path)
    response = await extension.post(path, {**BODIES[path], **changes})
    answer = response.json()
    assert (422, "validation_failed") == (response.status_code, answer["error"]["code"])
    (fault,) = answer["error"]["details"]
    assert (place, kind) == (".".join(fault["loc"]), fault["type"])
    assert before == await extension.data(path)


async def test_every_fault_is_told(extension: Extension) -> None:
    """Not only the first."""
    response = await extension.post("/tasks", {"category": "x", "deadline": "x"})
    places = [fault["loc"][1] for fault in response.json()["error"]["details"]]
    assert ["action", "module_source", "category", "deadline"] == places


@pytest.mark.parametrize(("path", "scope"), READS.items())
async def test_a_read_needs_its_scope(
    app: Starlette, extension: Extension, founder: Account, path: str, scope: str
) -> None:
    """And no other: 403 names the one that is missing, in the contract's words."""
    await _check_scope(app, extension, founder, "GET", path, scope)


@pytest.mark.parametrize(("path", "scope"), WRITES.items())
async def test_a_write_needs_its_scope(
    app: Starlette, extension: Extension, founder: Account, path: str, scope: str
) -> None:
    """Being allowed to read is not enough."""
    await _check_scope(app, extension, founder, "POST", path, scope)


async def _check_scope(
    app: Starlette, extension: Extension, founder: Account, method: str, path: str, scope: str
) -> None:
    every = {*READS.values(), *WRITES.values(), "write:notes"}
    answers = []
    for scopes in ({scope}, every - {scope}, set[str]()):
        _, secret = app.state.installs.create(founder.id, "narrow", scopes=scopes)
        narrow = Extension(extension.http, secret)
        assert 200 == (await narrow.get("/whoami")).status_code
        answers.append(
            await narrow.get(path) if method == "GET" else await narrow.post(path, BODIES[path])
        )
    assert [200, 403, 403] == [answer.status_code for answer in answers]
    for answer in answers[1:]:
        assert {
            "ok": False,
            "error": {
                "code": "scope_required",
                "message": f"Extension is missing required scope: {scope}",
            },
            "request_id": answer.headers["x-request-id"],
        } == answer.json()


async def test_missing_unknown_and_revoked_keys_get_the_same_answer(
    app: Starlette, extension: Extension, founder: Account
) -> None:
    """401, telling nothing about why; a key of the effect ledger is unknown here."""
    install, revoked = app.state.installs.create(founder.id, "sync")
    app.state.installs.revoke(founder.id, install.install_id)
    _, other = app.state.keys.create(tenant="acme")
    answers = [
        await extension.http.get("/whoami", headers=headers)
        for headers in (
            {},
            {"authorization": "Bearer"},
            {"authorization": "Basic dXNlcjpwdw=="},
            {"authorization": "Bearer vos_ext_unknown"},
            {"authorization": f"Bearer {revoked.reveal()}"},
            {"authorization": f"Bearer {other.reveal()}"},
        )
    ]
    assert [401] * 6 == [response.status_code for response in answers]
    assert {"Bearer"} == {response.headers["www-authenticate"] for response in answers}
    bodies = [{**response.json(), "request_id": ""} for response in answers]
    assert [bodies[0]] * 6 == bodies
    assert (False, "invalid_key") == (bodies[0]["ok"], bodies[0]["error"]["code"])


async def test_an_extensions_key_opens_nothing_else(
    http: httpx.AsyncClient, extension: Extension
) -> None:
    """The effect ledger does not know it."""
    assert 401 == (await http.get("/effects", headers=extension.headers)).status_code


async def test_founders_see_nothing_of_each_other(
    app: Starlette, extension: Extension, founder: Account
) -> None:
    """What one is told, another is not."""
    other = await app.state.velocity.ensure_account("other")
    _, secret = app.state.installs.create(other.id, "sync")
    stranger = Extension(extension.http, secret)
    empty: dict[str, Any] = {
        "/profile": {"profile": {}},
        "/modules": {"modules": []},
        "/offers": {"offers": []},
        "/team": {"team": []},
        "/partnerships": {"partnerships": []},
        "/tasks": {"open": [], "completed": []},
        "/academy/programs": {"programs": []},
    }
    assert empty == {path: await stranger.data(path) for path in empty}
    assert 404 == (await stranger.get("/modules/F6")).status_code
    before = await extension.data("/tasks")
    await stranger.post("/tasks", BODIES["/tasks"])
    assert before == await extension.data("/tasks")
    user = (await stranger.data("/whoami"))["user"]
    assert ("other", "growth") == (user["name"], user["tier"])


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/nothing", 404, None),
        ("GET", "/tasks/1", 404, None),
        ("GET", "/modules/F6/output", 404, None),
        ("GET", "/modules/../whoami/x", 404, None),
        ("GET", "//whoami", 404, None),
        ("GET", "/whoami/", 404, None),
        ("GET", "/academy", 404, None),
        ("POST", "/whoami", 405, "GET"),
        ("DELETE", "/tasks", 405, "GET, POST"),
        ("PUT", "/modules/F6", 405, "GET"),
    ],
)
async def test_other_paths_and_methods(
    extension: Extension, method: str, path: str, status: int, allow: str | None
) -> None:
    """404 and 405 in the same envelope."""
    url = extension.http.base_url.copy_with(raw_path=f"/api/v1/extensions{path}".encode())
    response = await extension.http.request(method, url, headers=extension.headers)
    assert (status, allow) == (response.status_code, response.headers.get("allow"))
    assert (False, {"code", "message"}) == (
        response.json()["ok"],
        set(response.json()["error"]),
    )


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff", 400, "not_utf8"),
        (b'{"action": "a", "action": "b", "module_source": "m"}', 400, "invalid_json"),
        (b"[" * 1_000, 400, "invalid_json"),
        (b"null", 422, "validation_failed"),
        (b"[]", 422, "validation_failed"),
        (b'{"action": "\\ud800", "module_source": "m"}', 422, "validation_failed"),
        (b" " * 1_048_577, 413, "payload_too_large"),
    ],
)
async def test_bodies_that_are_none(
    extension: Extension, content: bytes, status: int, code: str
) -> None:
    """Each with its code, in the envelope."""
    response = await extension.http.post("/tasks", content=content, headers=extension.headers)
    assert (status, code) == (response.status_code, response.json()["error"]["code"])
    assert response.json()["request_id"] == response.headers["x-request-id"]


MOUNTS = ["", "http://localhost/api/v1/extension%73"]
"""The mount may be encoded, too."""


@pytest.mark.parametrize("mount", MOUNTS)
async def test_a_path_that_is_no_utf8(extension: Extension, mount: str) -> None:
    """Not a module's code."""
    response = await extension.get(f"{mount}/modules/%FF")
    assert (400, "not_utf8") == (response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize("mount", MOUNTS)
async def test_an_encoded_slash_does_not_divide(extension: Extension, mount: str) -> None:
    """It is part of the code."""
    response = await extension.get(f"{mount}/modules/a%2Fb")
    assert "module 'A/B' is not completed" == response.json()["error"]["message"]


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE velocity_tasks; --", "a\r\nb", "🎲" * 100, "<script>", "{{7*7}}"]
)
async def test_hostile_text_is_just_text(extension: Extension, text: str) -> None:
    """It comes back as it went in."""
    created = await extension.post("/tasks", {"action": text, "module_source": text})
    assert (text, text) == (
        created.json()["data"]["created"]["action"],
        (await extension.data("/tasks"))["open"][-1]["module_source"],
    )


@pytest.mark.on_file
async def test_a_nul_is_a_character_like_another(extension: Extension) -> None:
    """In a file; PostgreSQL can't keep one."""
    await test_hostile_text_is_just_text(extension, "\0")
    await test_a_module_that_is_not_completed_is_not_found(extension, "%00")


async def test_a_database_that_cannot_be_used_is_503(app: Starlette, extension: Extension) -> None:
    """In the envelope, and worth another try."""
    await extension.get("/whoami")
    app.state.store.close()
    response = await extension.get("/tasks")
    assert (503, "unavailable", "1") == (
        response.status_code,
        response.json()["error"]["code"],
        response.headers["retry-after"],
    )
