"""Velerian, managed: keys, ABPs, networks, approvals and runs."""

import httpx
import pytest

from quatrain.server.velerian.keys import FINE_SCOPES
from quatrain.server.velerian.runner import echo
from quatrain.server.velerian.worker import Pace, RunWorker

LOAN = {"amount": 60_000, "prompt": "may I?"}
POLICY = {
    "default": "allow",
    "rules": [
        {"name": "no", "when": {"field": "x", "op": "exists", "value": True}, "then": "deny"}
    ],
}


async def with_key(app, key, method, path, **options):
    """Velerian's own answer to a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await client.request(
            method,
            f"http://localhost/api{path}",
            headers={"authorization": f"Bearer {key}"},
            **options,
        )


async def audit(app, key):
    """What the log says, as (action, resource, actor)."""
    page = (await with_key(app, key, "GET", "/v2/audit-log")).json()
    return [(e["action"], e["resource_id"], e["actor_user_id"]) for e in page["items"]]


@pytest.fixture
async def held(app):
    """An approval that waits, of the demo's ABP."""
    invocation = await app.state.velerian.invocations.invoke("local", "loan-review", LOAN, by="ann")
    return invocation.approval_id


async def test_keys(app, api):
    """A secret is shown once, and opens what its scopes say until it is revoked."""
    made = await api.made(
        "/velerian/keys", name="ci", scopes=["read"], user_id="bob", rate_per_minute=5
    )
    before = await with_key(app, made["key"], "GET", "/v2/abps")
    (listed,) = await api.items("/velerian/keys")
    revoked = await api.made(f"/velerian/keys/{made['id']}/revoke")
    after = await with_key(app, made["key"], "GET", "/v2/abps")

    assert ("ci", ["read"], "bob", 5, None) == (
        *(listed["name"], listed["scopes"], listed["user_id"], listed["rate_per_minute"]),
        listed["revoked_at"],
    )
    assert made["key"].startswith(listed["hint"])
    assert "key" not in listed
    assert revoked["revoked_at"] is not None
    assert [200, 401] == [before.status_code, after.status_code]


async def test_a_key_with_nothing_said(api):
    """May do everything but mint others, and does not expire."""
    made = await api.made("/velerian/keys")

    assert ("default", sorted(FINE_SCOPES), "local", None) == (
        *(made["name"], made["scopes"], made["user_id"], made["expires_at"]),
    )


async def test_a_key_that_expires(api):
    """At the time that was said, and not in the past."""
    made = await api.made("/velerian/keys", expires_at="2027-01-16T00:00:00+01:00")
    refused = await api.post("/velerian/keys", expires_at="2026-01-16")
    odd = await api.post("/velerian/keys", expires_at="soon")

    assert "2027-01-15T23:00:00.000Z" == made["expires_at"]
    assert [422, 422] == [refused.status_code, odd.status_code]


async def test_abps(app, api):
    """A draft is made, deployed, retired, and stays retired."""
    made = await api.made("/velerian/abps", name="Mine", policy=POLICY, abp_id="mine")
    states = [made["state"]]
    states += [
        (await api.made(f"/velerian/abps/mine/{step}"))["state"] for step in ("deploy", "retire")
    ]
    refused = await api.post("/velerian/abps/mine/deploy")
    listed = await api.items("/velerian/abps")
    key = (await api.made("/velerian/keys"))["key"]

    assert ["draft", "deployed", "retired"] == states
    assert (409, "retired") == (refused.status_code, refused.json()["code"])
    assert ("mine", POLICY, "retired") == (
        *(listed[-1]["abp_id"], listed[-1]["policy"], listed[-1]["state"]),
    )
    assert [("abp.deploy", "mine", "local"), ("abp.retire", "mine", "local")] == (
        await audit(app, key)
    )[:2]


async def test_abps_by_parts(api):
    """In the order they were made, with the total."""
    pages = [(await api.get("/velerian/abps", limit=2, offset=n)).json() for n in (0, 2)]

    assert ["loan-review", "contract-summary", "claims-triage"] == [
        abp["abp_id"] for page in pages for abp in page["items"]
    ]
    assert [3, 3] == [page["total"] for page in pages]


async def test_networks(app, api):
    """A new one can be invoked at once."""
    made = await api.made("/velerian/networks", slug="mine", policy=POLICY, model_id="m-1")
    listed = await api.items("/velerian/networks")
    key = (await api.made("/velerian/keys"))["key"]
    body = {"prompt_text": "hi"}
    queued = await with_key(app, key, "POST", "/agenticx/networks/mine/invoke", json=body)

    assert made == listed[-1]
    assert ("mine", "mine", "m-1", POLICY) == (
        *(made["slug"], made["name"], made["model_id"], made["policy"]),
    )
    assert (200, "queued") == (queued.status_code, queued.json()["status"])


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/velerian/abps", {"name": "x"}, 422, "body.policy: is missing"),
        ("/velerian/abps", {"name": "x", "policy": {"a": 1}}, 422, "the policy"),
        ("/velerian/abps", {"name": "x", "policy": []}, 422, "body.policy: expected an object"),
        ("/velerian/abps", {"name": "", "policy": {}}, 422, "an ABP's name is 1 to 200"),
        ("/velerian/abps", {"name": "x", "policy": {}, "state": "odd"}, 422, "body.state: must"),
        (
            "/velerian/abps",
            {"name": "x", "policy": {}, "abp_id": "loan-review"},
            409,
            "there is an ABP 'loan-review' already",
        ),
        ("/velerian/abps/none/deploy", {}, 404, "there is no ABP 'none'"),
        ("/velerian/networks", {"slug": "A"}, 422, "a network's slug is"),
        ("/velerian/networks", {"slug": "research"}, 409, "there is a network 'research' already"),
        ("/velerian/keys", {"scopes": ["odd"]}, 422, "there is no scope 'odd'"),
        ("/velerian/keys", {"scopes": []}, 422, "body.scopes: must name at least one"),
        ("/velerian/keys", {"scopes": "read"}, 422, "body.scopes: expected an array"),
        ("/velerian/keys/key_9/revoke", {}, 404, "there is no key 'key_9'"),
        ("/velerian/approvals/none/approve", {}, 404, "there is no approval 'none'"),
        ("/velerian/approvals/none/reject", {}, 422, "body.reason: is missing"),
    ],
)
async def test_what_can_not_be(api, path, body, status, message):
    """Refused in one sentence, in the envelope."""
    answer = await api.post(path, **body)

    assert status == answer.status_code
    assert answer.json()["message"].startswith(message)


# -- approvals ------------------------------------------------------------------------------------


async def test_an_approval_lets_the_invocation_end(app, api, held):
    """By whom and why is in the audit log."""
    (waiting,) = await api.items("/velerian/approvals", state="pending")
    decided = await api.made(f"/velerian/approvals/{held}/approve", by="zoe", reason="fine")
    invocation = await app.state.velerian.invocations.get(
        "local", "loan-review", waiting["invocation_id"]
    )
    key = (await api.made("/velerian/keys"))["key"]

    assert (held, "loan-review", "loans above 50,000 are decided by a person") == (
        *(waiting["approval_id"], waiting["abp_id"], waiting["reason"]),
    )
    assert ("approved", "zoe", "fine") == (
        *(decided["state"], decided["decided_by"], decided["decision"]),
    )
    assert ("allow", "may I?") == (invocation.outcome, invocation.output)
    assert ("approval.approve", held, "zoe") in await audit(app, key)
    assert ([], [decided]) == (
        await api.items("/velerian/approvals", state="pending"),
        await api.items("/velerian/approvals"),
    )


async def test_a_rejection_denies_it(app, api, held):
    """For a reason; nothing runs."""
    decided = await api.made(f"/velerian/approvals/{held}/reject", reason="too much")
    again = await api.post(f"/velerian/approvals/{held}/approve")
    invocation = await app.state.velerian.invocations.get(
        "local", "loan-review", decided["invocation_id"]
    )

    assert ("rejected", "local", "too much") == (
        *(decided["state"], decided["decided_by"], decided["decision"]),
    )
    assert ("deny", None) == (invocation.outcome, invocation.output)
    assert (409, "decided") == (again.status_code, again.json()["code"])


# -- runs -----------------------------------------------------------------------------------------


async def test_runs(app, api):
    """Newest first, by pages, of one state or of all."""
    velerian = app.state.velerian
    ids = [await velerian.runs.start("local", "research", prompt_text=str(n)) for n in range(3)]
    async with RunWorker(app.state.store, echo, pace=Pace(poll=0.001)).running():
        while await velerian.runs.newest("local", limit=1, status="queued"):
            pass
        while await velerian.runs.newest("local", limit=1, status="running"):
            pass
    ids.append(await velerian.runs.start("local", "research", prompt_text="new"))
    first = (await api.get("/velerian/runs", limit=3)).json()
    second = (await api.get("/velerian/runs", limit=3, cursor=first["next_cursor"])).json()
    (queued,) = await api.items("/velerian/runs", status="queued")
    shown = (await api.get(f"/velerian/runs/{ids[0]}")).json()

    assert ids[::-1] == [run["run_id"] for run in [*first["items"], *second["items"]]]
    assert [3, 1] == [len(first["items"]), len(second["items"])]
    assert second["next_cursor"] is None
    assert ids[-1] == queued["run_id"]
    assert ("succeeded", "0", "0") == (
        *(shown["status"], shown["prompt_text"], shown["output_text"]),
    )


async def test_each_tenant_sees_its_own(app, api, api_of, held):
    """And changes nothing of another's."""
    acme = api_of("acme")
    key = await api.made("/velerian/keys")
    run_id = await app.state.velerian.runs.start("local", "research", prompt_text="x")
    lists = ["keys", "abps", "networks", "approvals", "runs"]
    refused = [
        await acme.post(f"/velerian/keys/{key['id']}/revoke"),
        await acme.post("/velerian/abps/loan-review/retire"),
        await acme.post(f"/velerian/approvals/{held}/approve"),
        await acme.post(f"/velerian/approvals/{held}/reject", reason="x"),
        await acme.get(f"/velerian/runs/{run_id}"),
    ]

    assert [[]] * 5 == [await acme.items(f"/velerian/{name}") for name in lists]
    assert [404] * 5 == [answer.status_code for answer in refused]
    assert "pending" == (await api.items("/velerian/approvals"))[0]["state"]
