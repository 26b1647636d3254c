"""Who may ask for what, and how errors are told. Source: contracts, Velerian."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server.velerian.abps import Abps

from .._support import START, ServerClock
from ._core import Caller, refusal

NEEDED = [
    ("POST", "api-keys", "admin"),
    ("GET", "api-keys", "admin"),
    ("DELETE", "api-keys/key_1", "admin"),
    ("GET", "abps", "runs:read"),
    ("GET", "abps/pay", "runs:read"),
    ("POST", "abps/pay/invoke", "runs:write"),
    ("GET", "abps/pay/invocations", "runs:read"),
    ("GET", "abps/pay/invocations/inv_1", "runs:read"),
    ("GET", "abps/pay/invocations/inv_1/evidence", "evidence:read"),
    ("GET", "abps/pay/evidence-package", "evidence:read"),
    ("GET", "exports/exp_1/content", "evidence:read"),
    ("GET", "approvals", "runs:read"),
    ("GET", "audit-log", "audit:read"),
    ("GET", "usage/summary", "runs:read"),
    ("GET", "pack-runs", "runs:read"),
    ("GET", "pack-runs/run_1", "runs:read"),
    ("POST", "http://localhost/api/agenticx/networks/n/invoke", "runs:write"),
]
SCOPES = ["runs:read", "runs:write", "evidence:read", "audit:read"]


@pytest.mark.parametrize(("method", "path", "scope"), NEEDED)
async def test_a_scope_is_needed(caller: Caller, method: str, path: str, scope: str) -> None:
    """403 names it; the right one, or admin, gets further."""
    poor = caller.other(scopes=[each for each in SCOPES if each != scope])
    assert (403, f"this key lacks the scope {scope}") == await refusal(poor, method, path)
    rich = caller if scope == "admin" else caller.other(scopes=[scope])
    for each in (rich, caller):
        assert 403 != (await each.send(method, path)).status_code


@pytest.mark.parametrize(("method", "path", "scope"), NEEDED)
async def test_a_key_is_needed(
    caller: Caller, wire: httpx.AsyncClient, method: str, path: str, scope: str
) -> None:
    """One answer for a missing, an unknown, a revoked and an expired one."""
    answers = [await wire.request(method, path)]
    answers.append(await wire.request(method, path, headers={"authorization": "Bearer x"}))
    revoked = caller.other(scopes=[scope])
    keys = caller.app.state.velerian.keys
    keys.revoke("acme", keys.list("acme")[-1].key_id)
    answers.append(await revoked.send(method, path))
    expect = "a valid API key is needed: Authorization: Bearer vk_live_…"
    for answer in answers:
        assert (401, {"detail": expect}) == (answer.status_code, answer.json())
        assert "Bearer" == answer.headers["www-authenticate"]


async def test_an_expired_key_is_no_key(caller: Caller, clock: ServerClock) -> None:
    """From the moment on that it was made with."""
    short = caller.other(expires_at=START + 1_000)
    await short.get("abps")
    clock.advance(1_000)
    assert 401 == (await refusal(short, "GET", "abps"))[0]


async def test_the_ledgers_keys_are_others(caller: Caller, platform: Starlette) -> None:
    """And the other way round."""
    _, ledgers = platform.state.keys.create(tenant="acme")
    assert 401 == (await Caller(platform, caller.http, ledgers).send("GET", "abps")).status_code
    answer = await caller.send("GET", "http://localhost/v1/effects")
    assert 401 == answer.status_code


# -- keys over the wire ---------------------------------------------------------------------------


async def test_a_key_is_minted_and_revoked(caller: Caller) -> None:
    """Its secret is told once, and what it opens ends with it."""
    body = {
        "name": "ci",
        "scopes": ["read"],
        "user_id": "ann",
        "rate_per_minute": 9,
        "expires_at": "2027-01-15T09:00:00Z",
    }
    answer = (await caller.post("api-keys", body)).json()
    secret = answer.pop("key")
    expected = {
        **body,
        "id": "key_2",
        "hint": secret[:12],
        "created_at": "2027-01-15T08:00:00.000Z",
        "expires_at": "2027-01-15T09:00:00.000Z",
        "last_used_at": None,
        "revoked_at": None,
    }
    assert expected == answer
    headers = {"authorization": f"Bearer {secret}"}
    assert 200 == (await caller.http.get("abps", headers=headers)).status_code
    await caller.app.state.store.probe()  # when it was last used is written by the way
    listed = await caller.get("api-keys", offset=1)
    assert ([{**expected, "last_used_at": expected["created_at"]}], 50, 1, 2) == tuple(
        listed.values()
    )
    revoked = await caller.send("DELETE", "api-keys/key_2")
    assert (200, "2027-01-15T08:00:00.000Z") == (
        revoked.status_code,
        revoked.json()["revoked_at"],
    )
    assert secret not in revoked.text + str(listed)
    assert 401 == (await caller.http.get("abps", headers=headers)).status_code


async def test_a_minted_key_is_its_minters(caller: Caller) -> None:
    """The tenant's, and by default the user's."""
    admin = caller.other(scopes=["admin"], user_id="ann")
    answer = (await admin.post("api-keys", {"name": "n", "scopes": ["write"]})).json()
    assert "ann" == answer["user_id"]
    entry = (await admin.get("audit-log"))["items"][-1]
    assert ("ann", "api_key.create", answer["id"]) == (
        entry["actor_user_id"],
        entry["action"],
        entry["resource_id"],
    )


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body", "name"]),
        ({"name": "n"}, ["body", "scopes"]),
        ({"name": "n", "scopes": "read"}, ["body", "scopes"]),
        ({"name": "n", "scopes": [1]}, ["body", "scopes", 0]),
        ({"name": "n", "scopes": ["all"]}, ["body"]),
        ({"name": "n", "scopes": ["x" * 10_000]}, ["body"]),
        ({"name": "", "scopes": ["read"]}, ["body"]),
        ({"name": "n", "scopes": ["read"], "rate_per_minute": 0}, ["body", "rate_per_minute"]),
        ({"name": "n", "scopes": ["read"], "expires_at": "soon"}, ["body", "expires_at"]),
        ({"name": "n", "scopes": ["read"], "expires_at": "2020-01-01"}, ["body"]),
    ],
)
async def test_a_key_that_cannot_be_meant(caller: Caller, body: Any, loc: list[Any]) -> None:
    """422, with the place of the first mistake."""
    status, detail = await refusal(caller, "POST", "api-keys", json=body)
    assert (422, loc) == (status, detail[0]["loc"])
    assert {"loc", "msg", "type"} == detail[0].keys()
    assert len(detail[0]["msg"]) < 300
    assert 1 == (await caller.get("api-keys"))["total"]


async def test_a_key_that_is_not_there(caller: Caller) -> None:
    """404, and another tenant's is not there either."""
    caller.other("other")
    for key_id in ("key_2", "key_9", "x", "%2e%2e"):
        status, detail = await refusal(caller, "DELETE", f"api-keys/{key_id}")
        assert (404, True) == (status, detail.startswith("there is no key"))


# -- what is no request ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "nope", b"", 404),
        ("GET", "http://localhost/api/agenticx/nope", b"", 404),
        ("PUT", "abps", b"", 405),
        ("GET", "abps/%ff", b"", 400),
        ("POST", "abps/pay/invoke", b"{", 400),
        ("POST", "abps/pay/invoke", b"[" * 300, 400),
        ("POST", "abps/pay/invoke", b'"' + b"x" * 1_100_000 + b'"', 413),
    ],
)
async def test_what_is_no_request(
    caller: Caller, method: str, path: str, content: bytes, status: int
) -> None:
    """Is told in Velerian's words, too."""
    found, detail = await refusal(caller, method, path, content=content)
    assert (status, str) == (found, type(detail))


async def test_what_nobody_expected(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told in Velerian's words too; what it was is for the log."""

    async def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("with a secret")

    monkeypatch.setattr(Abps, "page", fail)
    status, detail = await refusal(caller, "GET", "abps")
    assert (500, "the platform failed; its log says why under this request id") == (status, detail)


@pytest.mark.parametrize(
    "path",
    ["abps", "abps/pay/invocations", "approvals", "audit-log", "api-keys", "pack-runs"],
)
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_page_has_bounds(caller: Caller, path: str, query: str, name: str) -> None:
    """422 names the parameter."""
    await caller.make_abp()
    status, detail = await refusal(caller, "GET", f"{path}?{query}")
    assert (422, ["query", name]) == (status, detail[0]["loc"])
