"""What a client may be asked to do: each scenario is run with every client, and compared."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from quatrain.verity import AsyncVerityClient

from .._platform import Fault
from ._agents import NAMESPACE, Agent

Scenario = Callable[[Agent], Awaitable[Any]]

SCENARIOS: dict[str, Scenario] = {}


def scenario(fn: Scenario) -> Scenario:
    """Have it run with every client."""
    SCENARIOS[fn.__name__] = fn
    return fn


def receipt() -> dict[str, Any]:
    return {"receipt": "r-1", "amount": 12.5, "lines": [1, None, "ü"]}


def decline() -> None:
    raise ValueError("the card was declined")


def never() -> None:
    raise AssertionError("act was called")


async def cut_off(agent: Agent, key: str = "k", **body: Any) -> None:
    """An earlier attempt that nobody ended; its lease has run out."""
    await agent.do(agent.client.request_lease, NAMESPACE, {"effectKey": key, **body})
    agent.platform.clock.advance(30_001)


async def leased(agent: Agent, key: str = "k") -> dict[str, Any]:
    """The tokens of a lease just taken, as requests of its holder carry them."""
    lease = await agent.do(agent.client.request_lease, NAMESPACE, {"effectKey": key})
    return {
        "effectKey": key,
        "fenceToken": lease.fence_token,
        "leaseToken": lease.lease_token,
    }


# -- protect --------------------------------------------------------------------------------------


@scenario
async def fresh_act(agent: Agent) -> Any:
    return await agent.protect("k", act=receipt)


@scenario
async def act_returns_none(agent: Agent) -> Any:
    return await agent.protect("k", act=lambda: None)


@scenario
async def cached_result(agent: Agent) -> Any:
    await agent.protect("k", act=receipt)
    return await agent.protect("k", act=never)


@scenario
async def cached_none(agent: Agent) -> Any:
    holder = await leased(agent)
    await agent.do(agent.client.commit, NAMESPACE, {**holder, "result": None})
    return await agent.protect("k", act=never)


@scenario
async def act_fails(agent: Agent) -> Any:
    return await agent.protect("k", act=decline)


@scenario
async def cached_failure(agent: Agent) -> Any:
    with contextlib.suppress(ValueError):
        await agent.protect("k", act=decline)
    return await agent.protect("k", act=never)


@scenario
async def first_attempts_do_not_observe(agent: Agent) -> Any:
    return await agent.protect("k", act=receipt, observe=lambda: "seen")


@scenario
async def expired_without_observe(agent: Agent) -> Any:
    await cut_off(agent)
    return await agent.protect("k", act=receipt)


@scenario
async def observe_hit(agent: Agent) -> Any:
    await cut_off(agent)
    result = await agent.protect("k", act=never, observe=receipt)
    await agent.do(agent.platform.recorder.wait_for, "report-observe")
    return result


@scenario
async def observe_miss(agent: Agent) -> Any:
    await cut_off(agent)
    result = await agent.protect("k", act=receipt, observe=lambda: None)
    await agent.do(agent.platform.recorder.wait_for, "report-observe")
    return result


@scenario
async def after_a_reset_nobody_observes(agent: Agent) -> Any:
    holder = await leased(agent)
    await agent.do(agent.client.fail, NAMESPACE, {**holder, "error": "no"})
    url, key = agent.platform.base_url, agent.api_key
    async with AsyncVerityClient(base_url=url, api_key=key, namespace=NAMESPACE) as operator:
        await operator.effects.reset("k", reason="looked into")
    return await agent.protect("k", act=receipt, observe=lambda: "seen")


@scenario
async def observe_raises(agent: Agent) -> Any:
    await cut_off(agent)
    return await agent.protect("k", act=receipt, observe=decline)


@scenario
async def observe_falsy_is_a_hit(agent: Agent) -> Any:
    await cut_off(agent)
    result = await agent.protect("k", act=never, observe=lambda: 0)
    await agent.do(agent.platform.recorder.wait_for, "report-observe")
    return result


@scenario
async def every_option(agent: Agent) -> Any:
    return await agent.protect(
        "order-1",
        act=receipt,
        namespace="refunds",
        effect_name="refund",
        agent_id="worker-7",
        lease_duration_ms=45_000,
        input_json={"order": 1, "note": "ünïcode \u2028"},
        key_suffix="second",
        on_conflict="throw",
        on_lease=lambda _: None,
    )


@scenario
async def falsy_input(agent: Agent) -> Any:
    return await agent.protect("k", act=receipt, input_json=0)


@scenario
async def empty_key_suffix(agent: Agent) -> Any:
    return await agent.protect("k", act=receipt, key_suffix="")


@scenario
async def namespace_with_a_space(agent: Agent) -> Any:
    return await agent.protect("k", act=receipt, namespace="réfunds of May")


@scenario
async def namespace_with_a_slash(agent: Agent) -> Any:
    await agent.protect("k", act=receipt, namespace="acme/refunds")
    return await agent.protect("k", act=never, namespace="acme/refunds")


@scenario
async def two_effects_at_a_time(agent: Agent) -> Any:
    return await agent.protect("one", act=receipt), await agent.protect("two", act=lambda: 2)


@scenario
async def renewed_once(agent: Agent) -> Any:
    return await agent.protect("k", act=agent.lasting_act())


@scenario
async def too_much_input(agent: Agent) -> Any:
    return await agent.protect("k", act=never, input_json="x" * 70_000)


@scenario
async def input_that_is_not_json(agent: Agent) -> Any:
    return await agent.protect("k", act=never, input_json=object())


@scenario
async def result_that_is_not_json(agent: Agent) -> Any:
    return await agent.protect("k", act=object)


@scenario
async def result_too_large(agent: Agent) -> Any:
    return await agent.protect("k", act=lambda: "x" * 70_000)


# -- when the ledger says no, or nothing ----------------------------------------------------------


@scenario
async def conflict_thrown(agent: Agent) -> Any:
    await leased(agent)
    return await agent.protect("k", act=never, on_conflict="throw")


@scenario
async def conflict_over_at_the_third_request(agent: Agent) -> Any:
    agent.platform.recorder.faults["lease"] += [Fault(409), Fault(409)]
    return await agent.protect("k", act=receipt)


@scenario
async def conflict_to_the_end(agent: Agent) -> Any:
    await leased(agent)
    return await agent.protect("k", act=never)


@scenario
async def lease_unavailable(agent: Agent) -> Any:
    agent.platform.recorder.faults["lease"].append(Fault(503))
    return await agent.protect("k", act=never)


@scenario
async def lease_refused(agent: Agent) -> Any:
    return await agent.protect("k", act=never, lease_duration_ms=1)


@scenario
async def commit_unavailable_for_a_moment(agent: Agent) -> Any:
    agent.platform.recorder.faults["commit"] += [Fault(503), Fault(500)]
    return await agent.protect("k", act=receipt)


@scenario
async def commit_unavailable(agent: Agent) -> Any:
    agent.platform.recorder.faults["commit"] += [Fault(503)] * 3
    return await agent.protect("k", act=receipt)


@scenario
async def commit_done_but_its_answer_lost(agent: Agent) -> Any:
    agent.platform.recorder.faults["commit"].append(Fault(503, done=True))
    return await agent.protect("k", act=receipt)


@scenario
async def commit_refused(agent: Agent) -> Any:
    agent.platform.recorder.faults["commit"].append(Fault(422))
    return await agent.protect("k", act=receipt)


@scenario
async def commit_meets_a_gateway(agent: Agent) -> Any:
    page = Fault(502, b"<html>Bad Gateway</html>", "text/html")
    agent.platform.recorder.faults["commit"].append(page)
    return await agent.protect("k", act=receipt)


@scenario
async def observed_commit_unavailable(agent: Agent) -> Any:
    await cut_off(agent)
    agent.platform.recorder.faults["commit"] += [Fault(503)] * 3
    try:
        return await agent.protect("k", act=lambda: "again", observe=receipt)
    finally:
        await agent.do(agent.platform.recorder.wait_for, "report-observe")


@scenario
async def failure_unavailable_for_a_moment(agent: Agent) -> Any:
    agent.platform.recorder.faults["fail"] += [Fault(503), Fault(500)]
    return await agent.protect("k", act=decline)


@scenario
async def failure_unavailable(agent: Agent) -> Any:
    agent.platform.recorder.faults["fail"] += [Fault(503)] * 3
    return await agent.protect("k", act=decline)


# -- workflows ------------------------------------------------------------------------------------


@scenario
async def workflow_run(agent: Agent) -> Any:
    run = agent.client.workflow("refund_flow").case("order-1").run(run_id="run-1")
    first = await agent.do(run.protect, "notify", act=receipt)
    assert first == receipt()
    await agent.do(run.protect, "refund", act=decline)


@scenario
async def workflow_run_with_everything(agent: Agent) -> Any:
    case = agent.client.workflow("refund_flow").case("order-1")
    run = case.run(run_id="run-1", namespace="flows", lease_duration_ms=60_000, agent_id="w-1")
    first = await agent.do(run.protect, "notify", act=receipt, input_json=[1], key_suffix="mail")
    options = {"namespace": "other", "lease_duration_ms": 10_000, "on_conflict": "throw"}
    return first, await agent.do(run.protect, "refund", act=receipt, **options)


@scenario
async def another_run_of_the_case(agent: Agent) -> Any:
    case = agent.client.workflow("refund_flow").case("order-1")
    await agent.do(case.run(run_id="run-1").protect, "notify", act=receipt)
    return await agent.do(case.run(run_id="run-2").protect, "notify", act=never)


@scenario
async def workflow_takes_over_an_expired_effect(agent: Agent) -> Any:
    body = {"effectKey": "order-1:notify"}
    await agent.do(agent.client.request_lease, "refund_flow", body)
    agent.platform.clock.advance(30_001)
    run = agent.client.workflow("refund_flow").case("order-1").run(run_id="run-2")
    result = await agent.do(run.protect, "notify", act=never, observe=receipt)
    await agent.do(agent.platform.recorder.wait_for, "report-observe")
    return result


# -- the endpoints, one by one --------------------------------------------------------------------


@scenario
async def low_level_commit(agent: Agent) -> Any:
    holder = await leased(agent)
    body = {**holder, "result": {"ok": True}, "source": "acted", "runId": "run-1"}
    first = await agent.do(agent.client.commit, NAMESPACE, body)
    again = await agent.do(agent.client.commit, NAMESPACE, body)
    return first.status, again.status, first.fence_token


@scenario
async def low_level_fail(agent: Agent) -> Any:
    holder = await leased(agent)
    body = {**holder, "error": {"name": "Declined", "message": "no"}, "source": "acted"}
    first = await agent.do(agent.client.fail, NAMESPACE, body)
    again = await agent.do(agent.client.fail, NAMESPACE, body)
    return first.status, again.status, first.fence_token


@scenario
async def low_level_renew(agent: Agent) -> Any:
    holder = await leased(agent)
    plain = await agent.do(agent.client.renew, NAMESPACE, holder)
    longer = await agent.do(agent.client.renew, NAMESPACE, {**holder, "extensionMs": 90_000})
    return plain.status, longer.status


@scenario
async def low_level_renew_too_late(agent: Agent) -> Any:
    holder = await leased(agent)
    agent.platform.clock.advance(30_001)
    return await agent.do(agent.client.renew, NAMESPACE, holder)


@scenario
async def low_level_report(agent: Agent) -> Any:
    holder = await leased(agent)
    await agent.do(agent.client.report_observe, NAMESPACE, {**holder, "hit": False})
    body = {**holder, "hit": True, "durationMs": 12}
    await agent.do(agent.client.report_observe, NAMESPACE, body)


@scenario
async def low_level_zombie(agent: Agent) -> Any:
    holder = await leased(agent)
    agent.platform.clock.advance(30_001)
    await leased(agent)
    return await agent.do(agent.client.commit, NAMESPACE, {**holder, "result": 1})


@scenario
async def low_level_commit_unavailable_for_a_moment(agent: Agent) -> Any:
    holder = await leased(agent)
    agent.platform.recorder.faults["commit"].append(Fault(503))
    answer = await agent.do(agent.client.commit, NAMESPACE, {**holder, "result": 1})
    return answer.status


@scenario
async def low_level_unknown_effect(agent: Agent) -> Any:
    body = {"effectKey": "nobody's", "fenceToken": 1, "leaseToken": "none", "result": 1}
    return await agent.do(agent.client.commit, NAMESPACE, body)
