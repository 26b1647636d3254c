"""Workflow, case, run: effects that belong together."""

from __future__ import annotations

import re

import pytest

from quatrain.verity import AsyncVerityClient, VerityConfigError

from .._doubles import FakeLedger


async def receipt() -> str:
    return "receipt"


async def never() -> str:
    raise AssertionError("acted, and must not")


async def test_what_is_sent(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """The key of case and effect, the workflow's name as namespace, and all three ids."""
    run = verity.workflow("refunds").case("order_1").run("run_1", agent_id="agent")
    assert await run.protect("charge", act=receipt, key_suffix="eur") == "receipt"
    assert list(ledger.effects) == [("refunds", "order_1:charge:eur")]
    assert ledger.bodies("lease") == [
        {
            "effectKey": "order_1:charge:eur",
            "effectName": "charge",
            "agentId": "agent",
            "workflowName": "refunds",
            "caseId": "order_1",
            "runId": "run_1",
        }
    ]
    assert ledger.bodies("commit")[0]["runId"] == "run_1"


async def test_a_failure_names_the_run(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """As a commit does."""

    async def act() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        await verity.workflow("w").case("c").run("r").protect("e", act=act)
    assert ledger.bodies("fail")[0]["runId"] == "r"


async def test_a_new_run_picks_up_where_the_last_one_stopped(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """The same effect of the case has the same key; another case's has not."""
    case = verity.workflow("w").case("c")
    assert await case.run().protect("e", act=receipt) == "receipt"
    assert await case.run().protect("e", act=never) == "receipt"
    assert await verity.workflow("w").case("d").run().protect("e", act=receipt) == "receipt"
    assert list(ledger.effects) == [("w", "c:e"), ("w", "d:e")]


async def test_a_run_without_an_id_gets_one(verity: AsyncVerityClient) -> None:
    """No two the same."""
    case = verity.workflow("w").case("c")
    ids = {case.run().run_id for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"run_\d+_[0-9a-f]{8}", run_id) for run_id in ids)


async def test_the_namespace_is_the_calls_the_runs_or_the_workflows(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Never the client's."""
    case = verity.workflow("w").case("c")
    await case.run(namespace="run").protect("a", act=receipt, namespace="call")
    await case.run(namespace="run").protect("b", act=receipt)
    await case.run().protect("c", act=receipt)
    assert [namespace for namespace, _ in ledger.effects] == ["call", "run", "w"]


async def test_the_lease_duration_is_the_calls_or_the_runs(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Also one that the ledger will refuse: it is not replaced in silence."""
    run = verity.workflow("w").case("c").run(lease_duration_ms=10_000)
    await run.protect("a", act=receipt)
    await run.protect("b", act=receipt, lease_duration_ms=60_000)
    ledger.faults["lease"].append(422)
    with pytest.raises(Exception, match="422"):
        await run.protect("c", act=never, lease_duration_ms=0)
    durations = [body["leaseDurationMs"] for body in ledger.bodies("lease")]
    assert durations == [10_000, 60_000, 0]


async def test_the_clients_agent_is_not_the_runs(ledger: FakeLedger, connect) -> None:
    """Who runs it is said by the run."""
    run = connect(agent_id="client").workflow("w").case("c").run()
    await run.protect("e", act=receipt)
    assert "agentId" not in ledger.bodies("lease")[0]


async def test_the_parts_know_their_names(verity: AsyncVerityClient) -> None:
    """For logs."""
    workflow = verity.workflow("w")
    case = workflow.case("c")
    run = case.run("r")
    names = (workflow.workflow_name, case.workflow_name, case.case_id)
    assert names == ("w", "w", "c")
    assert (run.workflow_name, run.case_id, run.run_id, run.namespace) == ("w", "c", "r", "w")


async def test_a_workflow_without_a_name_has_no_namespace(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Before any request."""
    with pytest.raises(VerityConfigError, match="namespace"):
        await verity.workflow("").case("c").run().protect("e", act=never)
    assert ledger.verbs == []


async def test_other_options_are_those_of_protect(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Observe, input and what to do in doubt."""
    ledger.expire("c:e", "w")
    run = verity.workflow("w").case("c").run()
    result = await run.protect(
        "e", act=never, observe=receipt, input_json=[1], on_conflict="throw", on_uncertain="raise"
    )
    assert result == "receipt"
    assert ledger.bodies("lease")[0]["inputJson"] == [1]
