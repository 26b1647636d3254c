"""The ledger's wire: five endpoints and the query API. Source: contracts, Verity."""

from __future__ import annotations

import pytest

from ._support import Client, ServerClock


async def test_a_lease_is_granted_in_the_contracts_words(client: Client) -> None:
    """Every field of the answer."""
    response = await client.post("/effects/ns/lease", effectKey="k", agentId="a")
    answer = response.json()
    assert answer.pop("leaseToken")
    assert answer == {
        "status": "granted",
        "effectId": "eff_000000000001",
        "effectKey": "k",
        "fenceToken": 1,
        "leaseExpiresAt": "2027-01-15T08:00:30.000Z",
        "priorState": "none",
    }


async def test_a_held_lease_is_a_conflict_that_names_its_holder(client: Client) -> None:
    """409 lease_conflict."""
    await client.lease("k", agentId="a", leaseDurationMs=5_000)
    response = await client.post("/effects/ns/lease", effectKey="k", agentId="b")
    assert response.status_code == 409
    assert response.json() == {
        "code": "lease_conflict",
        "message": "another agent holds the lease",
        "requestId": response.headers["x-request-id"],
        "holder": {
            "agentId": "a",
            "fenceToken": 1,
            "leaseExpiresAt": "2027-01-15T08:00:05.000Z",
        },
    }


async def test_commit_and_its_repeat(client: Client) -> None:
    """accepted, then already_committed, then the cached result for every lease."""
    held = await client.lease("k")
    first = await client.post("/effects/ns/commit", **held, result={"a": [1]}, source="acted")
    again = await client.post("/effects/ns/commit", **held, result={"a": [1]})
    assert first.json() == {
        "status": "accepted",
        "effectId": "eff_000000000001",
        "fenceToken": 1,
        "message": "the effect is committed",
    }
    assert again.json()["status"] == "already_committed"
    assert (await client.post("/effects/ns/lease", effectKey="k")).json() == {
        "status": "cached_completed",
        "effectId": "eff_000000000001",
        "effectKey": "k",
        "fenceToken": 1,
        "leaseToken": None,
        "cachedResult": {"a": [1]},
    }


async def test_a_result_that_is_left_out_is_null(client: Client) -> None:
    """The official SDK leaves a null result out."""
    held = await client.lease("k")
    assert (await client.post("/effects/ns/commit", **held)).json()["status"] == "accepted"
    cached = (await client.post("/effects/ns/lease", effectKey="k")).json()
    assert cached["cachedResult"] is None


async def test_fail_and_its_repeat(client: Client) -> None:
    """recorded, then already_failed, then the cached error for every lease."""
    held = await client.lease("k")
    error = {"name": "E", "message": "no", "stack": "…"}
    first = await client.post("/effects/ns/fail", **held, error=error, source="acted")
    again = await client.post("/effects/ns/fail", **held, error=error)
    assert [first.json()["status"], again.json()["status"]] == ["recorded", "already_failed"]
    cached = (await client.post("/effects/ns/lease", effectKey="k")).json()
    assert (cached["status"], cached["cachedError"]) == ("cached_failed", error)


async def test_renew_answers_the_new_end(client: Client, clock: ServerClock) -> None:
    """From now, by the lease's own duration unless told."""
    held = await client.lease("k")
    clock.advance(1_000)
    response = await client.post("/effects/ns/renew", **held)
    assert response.json() == {"status": "renewed", "leaseExpiresAt": "2027-01-15T08:00:31.000Z"}
    response = await client.post("/effects/ns/renew", **held, extensionMs=60_000)
    assert response.json()["leaseExpiresAt"] == "2027-01-15T08:01:01.000Z"


async def test_refusals_carry_their_codes(client: Client, clock: ServerClock) -> None:
    """410 for a run-out lease, 409 for an old fence, 404 for no effect."""
    held = await client.lease("k")
    clock.advance(30_000)
    gone = await client.post("/effects/ns/renew", **held)
    assert (gone.status_code, gone.json()["code"]) == (410, "lease_expired")
    await client.lease("k")
    stale = await client.post("/effects/ns/commit", **held, result=1)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_fence")
    missing = await client.post("/effects/ns/commit", **{**held, "effectKey": "x"}, result=1)
    assert (missing.status_code, missing.json()["code"]) == (404, "effect_not_found")


async def test_observe_reports_are_acknowledged(client: Client) -> None:
    """An acknowledgement, and a line in the trail."""
    held = await client.lease("k")
    response = await client.post("/effects/ns/report-observe", **held, hit=True, durationMs=7)
    assert response.json() == {
        "status": "recorded",
        "effectId": "eff_000000000001",
        "fenceToken": 1,
    }


async def test_reset_answers_the_effect(client: Client) -> None:
    """Only what failed or expired; 409 not_resettable otherwise."""
    held = await client.lease("k")
    refused = await client.post("/effects/ns/reset", effectKey="k", reason="r")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_resettable")
    await client.post("/effects/ns/fail", **held, error="no")
    response = await client.post("/effects/ns/reset", effectKey="k", reason="fixed")
    assert response.json()["status"] == "RESET"
    events = (await client.get("/effects/ns/events", effectKey="k")).json()["items"]
    assert events[-1]["detail"] == {"reason": "fixed", "by": "tests"}


async def test_an_effect_shows_everything(client: Client) -> None:
    """Every field, payloads included."""
    held = await client.lease(
        "k",
        agentId="a",
        effectName="refund",
        inputJson={"order": 7},
        workflowName="w",
        caseId="c",
        runId="r",
    )
    await client.post("/effects/ns/commit", **held, result=[1, 2.5, "x"], source="observed")
    assert (await client.get("/effects/ns/effect", effectKey="k")).json() == {
        "effectId": "eff_000000000001",
        "namespace": "ns",
        "effectKey": "k",
        "effectName": "refund",
        "status": "COMMITTED",
        "fenceToken": 1,
        "attempts": 1,
        "agentId": "a",
        "workflowName": "w",
        "caseId": "c",
        "runId": "r",
        "leaseExpiresAt": None,
        "source": "observed",
        "createdAt": "2027-01-15T08:00:00.000Z",
        "updatedAt": "2027-01-15T08:00:00.000Z",
        "inputJson": {"order": 7},
        "result": [1, 2.5, "x"],
        "error": None,
    }


async def test_events_show_everything(client: Client) -> None:
    """Every field of a line of audit."""
    await client.lease("k", agentId="a", runId="r")
    assert (await client.get("/effects/ns/events", effectKey="k")).json() == {
        "items": [
            {
                "seq": 1,
                "type": "LEASE_GRANTED",
                "at": "2027-01-15T08:00:00.000Z",
                "fenceToken": 1,
                "agentId": "a",
                "runId": "r",
                "detail": {"priorState": "none", "leaseExpiresAt": "2027-01-15T08:00:30.000Z"},
            }
        ],
        "nextCursor": None,
    }


# -- lists ----------------------------------------------------------------------------------------


async def keys_of(client: Client, **query: object) -> list[str]:
    """The effect keys of one page."""
    response = await client.get("/effects", **query)
    assert response.status_code == 200, response.text
    return [item["effectKey"] for item in response.json()["items"]]


async def test_effects_are_listed_newest_first_without_payloads(client: Client) -> None:
    """Payloads only on demand."""
    for key in ("a", "b", "c"):
        await client.lease(key, inputJson=1)
    assert await keys_of(client) == ["c", "b", "a"]
    without = (await client.get("/effects")).json()["items"][0]
    with_payloads = (await client.get("/effects", payloads="true")).json()["items"][0]
    assert {"inputJson", "result", "error"} == with_payloads.keys() - without.keys()


async def test_filters(client: Client, clock: ServerClock) -> None:
    """Each one, and two together."""
    expired = await client.lease("expired", workflowName="w1", caseId="c1")
    assert expired["fenceToken"] == 1
    clock.advance(30_000)
    await client.lease("running", workflowName="w1", caseId="c2")
    committed = await client.lease("committed", workflowName="w2", caseId="c1")
    await client.post("/effects/ns/commit", **committed, result=1)
    for key in ("failed", "reset"):
        held = await client.lease(key)
        await client.post("/effects/ns/fail", **held, error=1)
    await client.post("/effects/ns/reset", effectKey="reset", reason="r")
    await client.post("/effects/other/lease", effectKey="elsewhere")
    for status in ("EXPIRED", "COMMITTED", "FAILED", "RESET"):
        assert await keys_of(client, status=status) == [status.lower()]
    assert await keys_of(client, status="RUNNING") == ["elsewhere", "running"]
    assert await keys_of(client, namespace="other") == ["elsewhere"]
    assert await keys_of(client, workflow="w1") == ["running", "expired"]
    assert await keys_of(client, case="c1") == ["committed", "expired"]
    assert await keys_of(client, case="c1", status="COMMITTED") == ["committed"]
    assert await keys_of(client, namespace="nowhere") == []


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("%", ["100%_off"]),
        ("_", ["100%_off"]),
        ("\\", ["back\\slash"]),
        ("!", ["bang!"]),
        ("off", ["100%_off"]),
        ("OFF", []),
        ("\nb", ["a\nb"]),
        ("b", ["a\nb", "bang!", "back\\slash"]),
        ("", ["a\nb", "bang!", "back\\slash", "100%_off"]),
    ],
)
async def test_a_part_of_the_key_is_taken_literally(
    client: Client, part: str, found: list[str]
) -> None:
    """No character is a wildcard; case matters."""
    for key in ("100%_off", "back\\slash", "bang!", "a\nb"):
        await client.lease(key)
    assert await keys_of(client, key=part) == found


@pytest.mark.on_file
async def test_a_nul_ends_nothing(client: Client) -> None:
    """In a file; PostgreSQL can't keep one."""
    response = await client.post("/effects/%00/lease", effectKey="a\0b")
    assert response.json()["status"] == "granted"
    await client.lease("b")
    assert await keys_of(client, key="\0b") == ["a\0b"]


async def test_pages_stay_put_while_effects_are_added(client: Client) -> None:
    """What is added is newer: the pages behind the first don't shift."""
    for number in range(5):
        await client.lease(f"k{number}")
    first = (await client.get("/effects", limit=2)).json()
    assert [item["effectKey"] for item in first["items"]] == ["k4", "k3"]
    await client.lease("new")
    second = (await client.get("/effects", limit=2, cursor=first["nextCursor"])).json()
    assert [item["effectKey"] for item in second["items"]] == ["k2", "k1"]
    third = (await client.get("/effects", limit=2, cursor=second["nextCursor"])).json()
    assert [item["effectKey"] for item in third["items"]] == ["k0"]
    assert third["nextCursor"] is None


async def test_a_page_that_is_just_full_is_the_last(client: Client) -> None:
    """No cursor leads to an empty page."""
    for key in ("a", "b"):
        await client.lease(key)
    assert (await client.get("/effects", limit=2)).json()["nextCursor"] is None


async def test_the_trail_comes_in_pages_oldest_first(client: Client) -> None:
    """And goes on where it stopped, with what was added since."""
    held = await client.lease("k")
    for _ in range(2):
        await client.post("/effects/ns/renew", **held)
    first = (await client.get("/effects/ns/events", effectKey="k", limit=2)).json()
    assert [event["type"] for event in first["items"]] == ["LEASE_GRANTED", "LEASE_RENEWED"]
    await client.post("/effects/ns/commit", **held, result=1)
    second = await client.get(
        "/effects/ns/events", effectKey="k", limit=2, cursor=first["nextCursor"]
    )
    assert [event["type"] for event in second.json()["items"]] == ["LEASE_RENEWED", "COMMITTED"]
    assert second.json()["nextCursor"] is None


# -- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        ("orders", "orders"),
        ("a/b", "a%2Fb"),
        ("a//b/", "a%2F%2Fb%2F"),
        ("lease", "lease"),
        ("effects/x/commit", "effects%2Fx%2Fcommit"),
        ("ü", "%C3%BC"),
        ("a b", "a%20b"),
    ],
)
async def test_a_namespace_is_the_same_raw_and_encoded(
    client: Client, raw: str, encoded: str
) -> None:
    """The official SDK puts it into the path as it is; others encode it as one segment."""
    granted = await client.post(f"/effects/{raw}/lease", effectKey="k")
    assert granted.json()["status"] == "granted"
    conflict = await client.post(f"/effects/{encoded}/lease", effectKey="k")
    assert conflict.json()["code"] == "lease_conflict"
    assert await keys_of(client, namespace=raw) == ["k"]


@pytest.mark.parametrize("encoded", ["%0A", "%E2%80%A8", "..%2F..", "%25", "%3F%23"])
async def test_a_namespace_may_hold_anything(client: Client, encoded: str) -> None:
    """Newlines, dots, percent signs."""
    response = await client.post(f"/effects/{encoded}/lease", effectKey="k")
    assert response.json()["status"] == "granted"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/effects/", 404, "not_found"),
        ("POST", "/effects/ns", 404, "not_found"),
        ("POST", "/effects/ns/fly", 404, "not_found"),
        ("POST", "/effects/ns/lease/", 404, "not_found"),
        ("POST", "/effects//lease", 422, "validation_failed"),
        ("GET", "/effects/ns/lease", 405, "method_not_allowed"),
        ("DELETE", "/effects", 405, "method_not_allowed"),
        ("POST", "/effects/ns/effect", 405, "method_not_allowed"),
        ("POST", "/effects/%FF/lease", 400, "not_utf8"),
    ],
)
async def test_paths_that_lead_nowhere(
    client: Client, method: str, path: str, status: int, code: str
) -> None:
    """Each with the ledger's envelope."""
    response = await client.http.request(method, path, headers=client.headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["requestId"] == response.headers["x-request-id"]


async def test_a_wrong_method_is_told_the_right_one(client: Client) -> None:
    """In the Allow header."""
    response = await client.get("/effects/ns/lease")
    assert response.headers["allow"] == "POST"
