"""The usage summary: counted from what happened."""

from __future__ import annotations

from quatrain.models.velerian import UsageSummary

from .._support import START, ServerClock
from ._core import Caller, Model, refusal, rows

NO_RUNS = dict.fromkeys(["total", "queued", "running", "succeeded", "failed", "blocked"], 0)


async def test_nothing_was_used(caller: Caller) -> None:
    """Then there are zeros, and no head of a chain."""
    expected = {
        "tenant_id": "acme",
        "as_of": "2027-01-15T08:00:00.000Z",
        "governed_runs": {
            "total": 0,
            "invocations": dict.fromkeys(
                ["total", "allow", "withhold", "require_human", "deny"], 0
            ),
            "network_runs": NO_RUNS,
            "model_errors": 0,
            "waiting_for_approval": 0,
        },
        "evidence_packs": {"total": 0, "chain_head": None, "last_created_at": None},
        "adoption": {
            "abps": dict.fromkeys(["total", "draft", "deployed", "retired"], 0),
            "networks": 0,
            "active_api_keys": 1,
            "users": 0,
        },
    }
    assert expected == await caller.get("usage/summary")


async def test_what_happened_is_counted(caller: Caller, model: Model, clock: ServerClock) -> None:
    """Invocations by outcome, runs by status, what waits, who took part."""
    services = caller.app.state.velerian
    await caller.make_abp()
    await caller.make_abp(abp_id="b", state="draft")
    await services.networks.create("acme", "research")
    await services.runs.start("acme", "research", prompt_text="p", user_id="bo")
    for payload in ({}, {"secret": True}, {"amount": 500}, {"amount": 500}, {"amount": 5_000}):
        answer = await caller.invoke(payload)
    model.failure = ValueError("no")
    approval_id = (await caller.get("approvals"))["items"][0]["approval_id"]
    await services.approvals.approve("acme", approval_id)
    revoked = caller.other(user_id="cy")
    clock.advance(1)
    last = await revoked.invoke({})
    services.keys.revoke("acme", "key_2")
    services.keys.create("acme", expires_at=START + 2)
    clock.advance(1)
    found = UsageSummary(**await caller.get("usage/summary"))
    assert answer["outcome"] == "deny"
    assert {
        "total": 7,
        "invocations": {"total": 6, "allow": 3, "withhold": 1, "require_human": 1, "deny": 1},
        "network_runs": {**NO_RUNS, "total": 1, "queued": 1},
        "model_errors": 2,
        "waiting_for_approval": 1,
    } == found.governed_runs
    assert {
        "total": 7,
        "chain_head": last["evidence_pack_chain_hash"],
        "last_created_at": "2027-01-15T08:00:00.001Z",
    } == found.evidence_packs
    assert {
        "abps": {"total": 2, "draft": 1, "deployed": 1, "retired": 0},
        "networks": 1,
        "active_api_keys": 1,
        "users": 3,
    } == found.adoption


async def test_packs_are_listed_on_demand(caller: Caller) -> None:
    """In the place of their counts, page by page."""
    await caller.make_abp()
    answers = [await caller.invoke({}) for _ in range(5)]
    await caller.make_abp("other")
    await caller.other("other").invoke({})

    async def packs(**query: int) -> list[int]:
        found = (await caller.get("usage/summary", **query))["evidence_packs"]
        return [pack["sequence"] for pack in found]

    assert [1, 2, 3, 4, 5] == await packs(evidence_offset=0)
    assert [1, 2] == await packs(evidence_limit=2)
    assert [3, 4] == await packs(evidence_limit=2, evidence_offset=2)
    assert [5] == await packs(evidence_limit=2, evidence_offset=4)
    assert [] == await packs(evidence_limit=2, evidence_offset=5)
    (first,) = (await caller.get("usage/summary", evidence_limit=1))["evidence_packs"]
    ((body_hash,),) = rows(
        caller.app.state.store,
        "SELECT body_hash FROM velerian_packs WHERE pack_id = ?",
        answers[0]["evidence_pack_id"],
    )
    assert {
        "pack_id": answers[0]["evidence_pack_id"],
        "sequence": 1,
        "abp_id": "pay",
        "subject_id": answers[0]["invocation_id"],
        "body_hash": body_hash,
        "chain_hash": answers[0]["evidence_pack_chain_hash"],
        "s3_key": answers[0]["evidence_pack_s3_key"],
        "created_at": "2027-01-15T08:00:00.000Z",
    } == first
    for query in ({"evidence_limit": 0}, {"evidence_offset": -1}, {"evidence_limit": 1_001}):
        status, detail = await refusal(caller, "GET", "usage/summary", params=query)
        assert (422, ["query", *query]) == (status, detail[0]["loc"])
