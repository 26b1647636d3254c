"""Governed invocations: judged, run or held, and kept whole. Source: contracts, Velerian."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from quatrain.evidence.chain import START as NO_LINK
from quatrain.evidence.chain import hash_of, link_after
from quatrain.models.velerian import InvokeResult
from quatrain.server.velerian.policy import Verdict, judged

from .._support import ServerClock
from ._core import POLICY, Caller, Model, actions, change, refusal, rows

MEDIUM = ["keep the receipt"]


def count(caller: Caller) -> tuple[int, ...]:
    """Invocations, packs, approvals and audit entries of invocations."""
    tables = "velerian_invocations", "velerian_packs", "velerian_approvals"
    store = caller.app.state.store
    audited = "SELECT count(*) FROM velerian_audit WHERE action = 'abp.invoke'"
    found = [rows(store, f"SELECT count(*) FROM {table}")[0][0] for table in tables]
    return (*found, rows(store, audited)[0][0])


@pytest.mark.parametrize(
    ("payload", "outcome", "conditions", "output"),
    [
        ({"amount": 5, "prompt": "hi"}, "allow", [], {"text": "said: hi"}),
        ({"amount": 50}, "allow", MEDIUM, {"text": 'said: {"amount":50}'}),
        ({"prompt": 7, "a": 1}, "allow", [], {"text": 'said: {"a":1,"prompt":7}'}),
        ({"secret": True, "prompt": "hi"}, "withhold", [], None),
        ({"amount": 500}, "require_human", MEDIUM, None),
        ({"amount": 5_000, "secret": True}, "deny", MEDIUM, None),
        ({}, "allow", [], {"text": "said: {}"}),
    ],
)
async def test_a_payload_is_judged(
    caller: Caller, model: Model, payload: Any, outcome: str, conditions: list[str], output: Any
) -> None:
    """And answered by the model where it may be."""
    await caller.make_abp()
    answer = await caller.invoke(payload)
    held = outcome == "require_human"
    ((approval_id,),) = rows(
        caller.app.state.store,
        "SELECT (SELECT approval_id FROM velerian_approvals WHERE invocation_id = ?)",
        answer["invocation_id"],
    )
    ((pack_id, chain_hash),) = rows(
        caller.app.state.store, "SELECT pack_id, chain_hash FROM velerian_packs"
    )
    expected = {
        "outcome": outcome,
        "is_allowed": outcome == "allow",
        "requires_human": held,
        "withheld": outcome == "withhold",
        "constraint_count": 4,
        "aggregated_conditions": conditions,
        "output": output,
        "approval_id": approval_id,
        "evidence_pack_id": pack_id,
        "evidence_pack_s3_key": f"evidence/acme/{pack_id}.json",
        "evidence_pack_chain_hash": chain_hash,
        "model_error": None,
    }
    assert {**expected, "invocation_id": answer["invocation_id"]} == answer
    assert InvokeResult(**answer).outcome == outcome
    assert held == (approval_id is not None)
    asked = [request.payload for request in model.asked]
    assert ([payload] if outcome in {"allow", "withhold"} else []) == asked
    assert (1, 1, int(held), 1) == count(caller)


async def test_the_evidence_has_the_payload_that_was_judged(caller: Caller, model: Model) -> None:
    """Whatever the model did with the one that it got."""
    await caller.make_abp()
    model.spoils = True
    answer = await caller.invoke({"amount": 50, "of": [1]})
    store = caller.app.state.store
    ((kept,),) = rows(store, "SELECT payload FROM velerian_invocations")
    ((body,),) = rows(store, "SELECT body FROM velerian_packs")
    assert ('{"amount":50,"of":[1]}', None) == (kept, answer["model_error"])
    assert {"amount": 50, "of": [1]} == json.loads(body)["payload"]


async def test_a_slow_judgement_holds_up_nobody(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy and a payload may be made to be slow together."""
    await caller.make_abp()
    answered, in_time = threading.Event(), []

    def slow(*given: Any) -> Verdict:
        in_time.append(answered.wait(10))
        return judged(*given)

    monkeypatch.setattr("quatrain.server.velerian.invocations.judged", slow)
    invoking = asyncio.create_task(caller.invoke({}))
    await caller.get("abps")
    answered.set()
    assert "allow" == (await invoking)["outcome"]
    assert [True] == in_time


async def test_what_is_withheld_is_kept(caller: Caller) -> None:
    """In the store; the evidence has its hash, and nothing on the wire tells it."""
    await caller.make_abp()
    answer = await caller.invoke({"secret": True, "prompt": "hi"})
    store = caller.app.state.store
    assert [("said: hi",)] == rows(store, "SELECT output FROM velerian_invocations")
    ((text,),) = rows(store, "SELECT body FROM velerian_packs")
    body = json.loads(text)
    assert (None, hash_of("said: hi")) == (body["output"], body["output_sha256"])
    row = await caller.get(f"abps/pay/invocations/{answer['invocation_id']}")
    assert "said:" not in str(row) + str(await caller.get("audit-log"))


async def test_the_evidence_says_what_happened(caller: Caller) -> None:
    """All of it, under the hash that the caller was given."""
    await caller.make_abp()
    payload = {"amount": 50, "prompt": "h\u00fc\ud800\0"}
    answer = await caller.invoke(payload)
    ((text,),) = rows(caller.app.state.store, "SELECT body FROM velerian_packs")
    body = json.loads(text)
    expected = {
        "abp_id": "pay",
        "user_id": "local",
        "payload": payload,
        "outcome": "allow",
        "judged": "allow",
        "reasons": [],
        "aggregated_conditions": MEDIUM,
        "constraint_count": 4,
        "approval_id": None,
        "model_error": "the runner's answer holds half of a surrogate pair",
        "output": None,
        "output_sha256": None,
        "pack_id": answer["evidence_pack_id"],
        "tenant_id": "acme",
        "sequence": 1,
        "kind": "invocation",
        "subject_id": answer["invocation_id"],
        "created_at": "2027-01-15T08:00:00.000Z",
    }
    assert expected == body
    link = link_after(NO_LINK, 1, body)
    assert answer["evidence_pack_chain_hash"] == link.chain_hash


@pytest.mark.parametrize("payload", [{"amount": 5}, {"secret": True}])
async def test_a_model_that_fails(caller: Caller, model: Model, payload: Any) -> None:
    """Changes nothing about the verdict: its error is told in one line."""
    await caller.make_abp()
    model.failure = ValueError("no\nidea")
    answer = await caller.invoke(payload)
    assert ("ValueError: no idea", None) == (answer["model_error"], answer["output"])
    assert ("withhold" if "secret" in payload else "allow") == answer["outcome"]
    assert (1, 1, 0, 1) == count(caller)


@pytest.mark.parametrize("state", ["draft", "retired"])
async def test_only_a_deployed_abp_is_invoked(caller: Caller, model: Model, state: Any) -> None:
    """409 says in which state it is; nothing is run or kept."""
    await caller.make_abp(state=state)
    status, detail = await refusal(caller, "POST", "abps/pay/invoke", json={"payload": {}})
    expected = f"the ABP 'pay' is {state}: only a deployed one can be invoked"
    assert (409, expected) == (status, detail)
    assert ([], (0, 0, 0, 0)) == (model.asked, count(caller))


async def test_an_abp_may_be_retired_meanwhile(caller: Caller, model: Model) -> None:
    """While the model is asked: then nothing has happened."""
    await caller.make_abp()
    abps = caller.app.state.velerian.abps
    answer = model.__call__

    async def slow(request: Any) -> str:
        await abps.retire("acme", "pay")
        return answer(request)

    caller.app.state.velerian.invocations._runner = slow
    assert 409 == (await refusal(caller, "POST", "abps/pay/invoke", json={"payload": {}}))[0]
    assert (0, 0, 0, 0) == count(caller)


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        ({}, ["body", "payload"], "missing"),
        ({"payload": None}, ["body", "payload"], "type"),
        ({"payload": []}, ["body", "payload"], "type"),
        ({"payload": "x"}, ["body", "payload"], "type"),
        ([], ["body"], "type"),
    ],
)
async def test_a_payload_is_an_object(caller: Caller, body: Any, loc: list[str], kind: str) -> None:
    """422 tells where it is not."""
    await caller.make_abp()
    status, detail = await refusal(caller, "POST", "abps/pay/invoke", json=body)
    assert (422, [(loc, kind)]) == (status, [(each["loc"], each["type"]) for each in detail])


@pytest.mark.on_file
async def test_it_happens_whole_or_not_at_all(caller: Caller) -> None:
    """Whatever part of the transaction fails."""
    await caller.make_abp()
    for table in ("velerian_audit", "velerian_packs", "velerian_approvals", "idempotency_keys"):
        trigger = f"broken_{table}"
        change(
            caller.app.state.store,
            f"CREATE TRIGGER {trigger} BEFORE INSERT ON {table}"
            " BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        answer = await caller.post("abps/pay/invoke", {"payload": {"amount": 500}}, key="k")
        assert 500 == answer.status_code
        assert (0, 0, 0, 0) == count(caller)
        change(caller.app.state.store, f"DROP TRIGGER {trigger}")
    await caller.invoke({"amount": 500}, key="k")
    assert (1, 1, 1, 1) == count(caller)


# -- idempotency ----------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [{"prompt": "hi"}, {"amount": 500}, {"secret": True}])
async def test_a_repeat_is_answered_and_not_done(
    caller: Caller, model: Model, payload: Any
) -> None:
    """The first answer again, even when the ABP is retired by now; the model is not asked."""
    await caller.make_abp()
    first = await caller.invoke(payload, key="k")
    asked, kept = len(model.asked), count(caller)
    await caller.app.state.velerian.abps.retire("acme", "pay")
    assert first == await caller.invoke(payload, key="k")
    assert (asked, kept) == (len(model.asked), count(caller))


async def test_a_key_with_another_request_is_a_mistake(caller: Caller) -> None:
    """422, for another payload and for another ABP."""
    await caller.make_abp()
    await caller.make_abp(abp_id="pay2")
    await caller.invoke({"a": 1}, key="k")
    for path, payload in (("pay", {"a": 2}), ("pay2", {"a": 1})):
        answer = await caller.post(f"abps/{path}/invoke", {"payload": payload}, key="k")
        detail = answer.json()["detail"]
        assert (422, ["header", "Idempotency-Key"]) == (answer.status_code, detail[0]["loc"])
    assert 1 == count(caller)[0]


async def test_keys_belong_to_their_callers(caller: Caller) -> None:
    """And without one, every request counts."""
    await caller.make_abp()
    first = await caller.invoke({}, key="k")
    other = await caller.other().invoke({}, key="k")
    assert first["invocation_id"] != other["invocation_id"]
    assert await caller.invoke({}) != await caller.invoke({})
    answer = await caller.post("abps/pay/invoke", {"payload": {}}, key="\t")
    assert 422 == answer.status_code


async def test_a_request_under_way_keeps_its_key(caller: Caller) -> None:
    """409 for the second, until the first is answered."""
    await caller.make_abp()
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> str:
        asked.set()
        await go_on.wait()
        return "done"

    caller.app.state.velerian.invocations._runner = slow
    first = asyncio.ensure_future(caller.invoke({}, key="k"))
    await asked.wait()
    second = await caller.post("abps/pay/invoke", {"payload": {}}, key="k")
    assert (409, "1") == (second.status_code, second.headers["retry-after"])
    go_on.set()
    assert {"text": "done"} == (await first)["output"]


# -- lists ----------------------------------------------------------------------------------------


async def test_abps_are_listed(caller: Caller, clock: ServerClock) -> None:
    """In the order they were made, with their policies."""
    await caller.make_abp(state="draft")
    await caller.make_abp(abp_id="b", name="B", policy={})
    clock.advance(1_000)
    await caller.app.state.velerian.abps.deploy("acme", "pay")
    pay = {
        "abp_id": "pay",
        "name": "Payments",
        "state": "deployed",
        "policy": POLICY,
        "created_at": "2027-01-15T08:00:00.000Z",
        "updated_at": "2027-01-15T08:00:01.000Z",
    }
    assert pay == await caller.get("abps/pay")
    page = await caller.get("abps", limit=1)
    assert {"items": [pay], "limit": 1, "offset": 0, "total": 2} == page
    assert ["b"] == [abp["abp_id"] for abp in (await caller.get("abps", offset=1))["items"]]
    assert [] == (await caller.get("abps", offset=2))["items"]


async def test_invocations_are_listed(caller: Caller) -> None:
    """Of one ABP, oldest first, with what their callers got."""
    await caller.make_abp()
    await caller.make_abp(abp_id="other")
    answers = [await caller.invoke({"amount": amount}) for amount in (5, 500, 5_000)]
    elsewhere = await caller.invoke({}, "other")
    page = await caller.get("abps/pay/invocations")
    facts = {"abp_id": "pay", "user_id": "local", "created_at": "2027-01-15T08:00:00.000Z"}
    reasons = {"allow": [], "require_human": ["a person decides"], "deny": ["too much"]}
    expected = [
        {
            **answer,
            **facts,
            "judged": answer["outcome"],
            "reasons": reasons[answer["outcome"]],
            "finished_at": None if answer["requires_human"] else facts["created_at"],
        }
        for answer in answers
    ]
    assert (expected, 3) == (page["items"], page["total"])
    (middle,) = (await caller.get("abps/pay/invocations", limit=1, offset=1))["items"]
    assert expected[1] == middle
    path = f"abps/pay/invocations/{answers[0]['invocation_id']}"
    assert expected[0] == await caller.get(path)
    for missing in (elsewhere["invocation_id"], "inv_9", "%0A"):
        assert 404 == (await refusal(caller, "GET", f"abps/pay/invocations/{missing}"))[0]


async def test_what_is_not_there(caller: Caller) -> None:
    """404, for every route of an ABP."""
    for method, path in (
        ("GET", "abps/pay"),
        ("GET", "abps/pay/invocations"),
        ("POST", "abps/pay/invoke"),
    ):
        status, detail = await refusal(caller, method, path, json={"payload": {}})
        assert (404, "there is no ABP 'pay'") == (status, detail)


async def test_tenants_do_not_meet(caller: Caller) -> None:
    """Neither in what they see nor in their chains, though their ABPs share an id."""
    await caller.make_abp()
    ours = await caller.invoke({"amount": 500})
    other = caller.other("other", scopes=["admin"])
    assert 404 == (await refusal(other, "GET", "abps/pay"))[0]
    await caller.make_abp("other", policy={})
    theirs = await other.invoke({"amount": 500})
    assert ("require_human", "allow") == (ours["outcome"], theirs["outcome"])
    path = f"abps/pay/invocations/{ours['invocation_id']}"
    assert 404 == (await refusal(other, "GET", path))[0]
    assert 1 == (await other.get("abps/pay/invocations"))["total"]
    assert 0 == (await other.get("approvals"))["total"]
    assert 1 == (await other.get("api-keys"))["total"]
    audit = await other.get("audit-log")
    assert (["api_key.create", "abp.invoke"], 2) == (actions(audit["items"]), audit["total"])
    usage = await other.get("usage/summary")
    assert ("other", 1, 1) == (
        usage["tenant_id"],
        usage["governed_runs"]["total"],
        usage["evidence_packs"]["total"],
    )
    assert f"evidence/other/{theirs['evidence_pack_id']}.json" == theirs["evidence_pack_s3_key"]
    sequences = "SELECT tenant, sequence FROM velerian_packs ORDER BY id"
    assert [("acme", 1), ("other", 1)] == rows(caller.app.state.store, sequences)
