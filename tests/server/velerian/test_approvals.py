"""What waits for a person: granted it goes on, refused it is denied, and it is decided once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from quatrain.errors import InputError
from quatrain.evidence.chain import START as NO_LINK
from quatrain.evidence.chain import chained
from quatrain.server.velerian.approvals import Approvals
from quatrain.server.velerian.records import DecidedError, NotThereError

from .._support import START, ServerClock
from ._core import Caller, Model, actions, change, rows


@pytest.fixture
async def held(caller: Caller) -> dict[str, Any]:
    """An invocation that waits."""
    await caller.make_abp()
    answer: dict[str, Any] = await caller.invoke({"amount": 500, "prompt": "pay"})
    return answer


def approvals_of(caller: Caller) -> Approvals:
    found: Approvals = caller.app.state.velerian.approvals
    return found


async def row_of(caller: Caller, held: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await caller.get(f"abps/pay/invocations/{held['invocation_id']}")
    return found


async def test_it_waits(caller: Caller, held: dict[str, Any], model: Model) -> None:
    """On the list, with the reason; nothing is run."""
    expected = {
        "approval_id": held["approval_id"],
        "invocation_id": held["invocation_id"],
        "abp_id": "pay",
        "state": "pending",
        "reason": "a person decides",
        "decided_by": None,
        "decision": None,
        "created_at": "2027-01-15T08:00:00.000Z",
        "decided_at": None,
    }
    assert [expected] == (await caller.get("approvals"))["items"]
    assert [expected] == (await caller.get("approvals", state="pending"))["items"]
    assert [] == (await caller.get("approvals", state="approved"))["items"]
    answer = await caller.send("GET", "approvals?state=open")
    assert (422, "choice") == (answer.status_code, answer.json()["detail"][0]["type"])
    assert [] == model.asked


async def test_an_approval_lets_it_finish(
    caller: Caller, held: dict[str, Any], clock: ServerClock, model: Model
) -> None:
    """With its output, a second pack of the same subject, and an audit entry."""
    clock.advance(60_000)
    decided = await approvals_of(caller).approve(
        "acme", held["approval_id"], by="ann", reason="known customer"
    )
    assert ("approved", "ann", "known customer", START + 60_000) == (
        decided.state,
        decided.decided_by,
        decided.decision,
        decided.decided_at,
    )
    row = await row_of(caller, held)
    changed = {
        "outcome": "allow",
        "is_allowed": True,
        "requires_human": False,
        "output": {"text": "said: pay"},
        "finished_at": "2027-01-15T08:01:00.000Z",
        "judged": "require_human",
    }
    assert changed == {name: row[name] for name in changed}
    assert held["approval_id"] == row["approval_id"]
    assert [{"amount": 500, "prompt": "pay"}] == [request.payload for request in model.asked]
    first, second = rows(
        caller.app.state.store,
        "SELECT pack_id, subject_id, body, body_hash, chain_hash FROM velerian_packs ORDER BY id",
    )
    assert (held["evidence_pack_id"], row["evidence_pack_id"]) == (first[0], second[0])
    assert first[1] == second[1] == held["invocation_id"]
    assert second[4] == chained(chained(NO_LINK, 1, first[3]), 2, second[3])
    assert second[4] == row["evidence_pack_chain_hash"]
    body = json.loads(second[2])
    decision = {"state": "approved", "decided_by": "ann", "reason": "known customer"}
    assert ("approval", "allow", decision, {"text": "said: pay"}) == (
        body["kind"],
        body["outcome"],
        body["decision"],
        body["output"],
    )
    entry = (await caller.get("audit-log"))["items"][-1]
    detail = {
        "invocation_id": held["invocation_id"],
        "abp_id": "pay",
        "reason": "known customer",
        "evidence_pack_id": row["evidence_pack_id"],
    }
    assert ("ann", "approval.approve", "approval", held["approval_id"], detail) == (
        entry["actor_user_id"],
        entry["action"],
        entry["resource_kind"],
        entry["resource_id"],
        entry["detail"],
    )


async def test_a_rejection_denies_it(caller: Caller, held: dict[str, Any], model: Model) -> None:
    """Nothing is run; there is evidence of it."""
    decided = await approvals_of(caller).reject("acme", held["approval_id"], by="ann")
    assert ("rejected", None) == (decided.state, decided.decision)
    row = await row_of(caller, held)
    assert ("deny", False, False, None) == (
        row["outcome"],
        row["is_allowed"],
        row["requires_human"],
        row["output"],
    )
    assert [] == model.asked
    assert 2 == (await caller.get("usage/summary"))["evidence_packs"]["total"]
    assert "approval.reject" == actions((await caller.get("audit-log"))["items"])[-1]


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
async def test_it_is_decided_once(
    caller: Caller, held: dict[str, Any], model: Model, first: str, second: str
) -> None:
    """The second is refused, and changes nothing."""
    await getattr(approvals_of(caller), first)("acme", held["approval_id"])
    before = await row_of(caller, held), len(model.asked)
    with pytest.raises(DecidedError, match="already"):
        await getattr(approvals_of(caller), second)("acme", held["approval_id"])
    assert before == (await row_of(caller, held), len(model.asked))


async def test_two_decide_at_once(caller: Caller, held: dict[str, Any]) -> None:
    """In one process the second is refused at once, in two at the end; one decision is kept."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> str:
        asked.set()
        await go_on.wait()
        return "late"

    ours = approvals_of(caller)
    ours._runner = slow
    theirs = Approvals(caller.app.state.store, slow)
    waiting = asyncio.ensure_future(ours.approve("acme", held["approval_id"]))
    await asked.wait()
    with pytest.raises(DecidedError, match="is being decided"):
        await ours.reject("acme", held["approval_id"])
    await theirs.reject("acme", held["approval_id"])
    go_on.set()
    with pytest.raises(DecidedError, match="is rejected already"):
        await waiting
    row = await row_of(caller, held)
    assert ("deny", None) == (row["outcome"], row["output"])
    assert 2 == (await caller.get("usage/summary"))["evidence_packs"]["total"]


async def test_a_model_that_fails(caller: Caller, held: dict[str, Any], model: Model) -> None:
    """It was approved all the same, and there is no second try."""
    model.failure = RuntimeError("out of order")
    await approvals_of(caller).approve("acme", held["approval_id"])
    row = await row_of(caller, held)
    assert ("allow", None, "RuntimeError: out of order") == (
        row["outcome"],
        row["output"],
        row["model_error"],
    )


@pytest.mark.on_file
async def test_it_is_decided_whole_or_not_at_all(caller: Caller, held: dict[str, Any]) -> None:
    """Whatever part of the transaction fails, it waits on."""
    store = caller.app.state.store
    before = await row_of(caller, held)
    for event in ("INSERT ON velerian_audit", "INSERT ON velerian_packs"):
        abort = "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        change(store, f"CREATE TRIGGER broken BEFORE {event} {abort}")
        with pytest.raises(Exception, match="broken"):
            await approvals_of(caller).approve("acme", held["approval_id"])
        assert 1 == (await caller.get("approvals", state="pending"))["total"]
        assert before == await row_of(caller, held)
        change(store, "DROP TRIGGER broken")
    assert "approved" == (await approvals_of(caller).approve("acme", held["approval_id"])).state


async def test_what_is_not_there(caller: Caller, held: dict[str, Any]) -> None:
    """Another tenant's is not."""
    for tenant, approval_id in (("other", held["approval_id"]), ("acme", "apr_9")):
        for decide in (approvals_of(caller).approve, approvals_of(caller).reject):
            with pytest.raises(NotThereError, match="no approval"):
                await decide(tenant, approval_id)
        with pytest.raises(NotThereError):
            await approvals_of(caller).get(tenant, approval_id)
    assert "pending" == (await approvals_of(caller).get("acme", held["approval_id"])).state


@pytest.mark.parametrize(
    "options",
    [{"by": ""}, {"by": "a\nb"}, {"reason": " "}, {"reason": "x" * 2_001}, {"reason": "\ud800"}],
)
async def test_a_decision_has_a_name_and_words(
    caller: Caller, held: dict[str, Any], options: dict[str, str]
) -> None:
    """That can be shown and stored."""
    with pytest.raises(InputError):
        await approvals_of(caller).approve("acme", held["approval_id"], **options)
    assert 1 == (await caller.get("approvals", state="pending"))["total"]


async def test_pages(caller: Caller, held: dict[str, Any]) -> None:
    """Oldest first, of one state or all."""
    ids = [held["approval_id"]]
    ids += [(await caller.invoke({"amount": 500}))["approval_id"] for _ in range(3)]
    await approvals_of(caller).reject("acme", ids[1])
    page = await caller.get("approvals", limit=2, offset=1)
    assert (ids[1:3], 4) == ([each["approval_id"] for each in page["items"]], page["total"])
    page = await caller.get("approvals", state="pending", limit=2, offset=1)
    assert (ids[2:], 3) == ([each["approval_id"] for each in page["items"]], page["total"])
