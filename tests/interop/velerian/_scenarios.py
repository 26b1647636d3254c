"""What a client may be asked to do: each scenario is run with every client, and compared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ._clients import Agent

Scenario = Callable[[Agent], Awaitable[Any]]

SCENARIOS: dict[str, Scenario] = {}
ABP = "loan-review"
LONG_AGO = "2020-01-01T00:00:00Z"


def scenario(fn: Scenario) -> Scenario:
    """Have it run with every client."""
    SCENARIOS[fn.__name__] = fn
    return fn


async def invoke(agent: Agent, **payload: Any) -> Any:
    return await agent.do("invoke_abp", ABP, payload=payload)


@scenario
async def an_allowed_invocation(agent: Agent) -> Any:
    return await invoke(agent, amount=100, prompt="Is this fine?")


@scenario
async def an_invocation_with_conditions(agent: Agent) -> Any:
    return await invoke(agent, amount=20_000, prompt="And this?")


@scenario
async def a_denied_invocation(agent: Agent) -> Any:
    return await invoke(agent, amount=100, applicant={"country": "KP"})


@scenario
async def a_held_invocation(agent: Agent) -> Any:
    return await invoke(agent, amount=1_000_000)


@scenario
async def a_withheld_invocation(agent: Agent) -> Any:
    return await invoke(agent, amount=100, prompt="SSN 123-45-6789")


@scenario
async def a_draft(agent: Agent) -> Any:
    return await agent.do("invoke_abp", "contract-summary", payload={})


@scenario
async def no_such_process(agent: Agent) -> Any:
    return await agent.do("invoke_abp", "nobody", payload={})


@scenario
async def a_network_run(agent: Agent) -> Any:
    return await agent.do(
        "invoke_network",
        "research",
        prompt_text="What is new?",
        metadata={"loan_id": 7},
        attachment_ids=["att_1"],
        poll_interval=0.01,
    )


@scenario
async def a_network_run_that_is_not_waited_for(agent: Agent) -> Any:
    queued = await agent.do("invoke_network", "research", prompt_text="And then?", wait=False)
    done = await agent.do("await_run", queued["run_id"], poll_interval=0.01)
    return sorted(queued), done["status"], done["output_text"]


@scenario
async def a_blocked_run(agent: Agent) -> Any:
    run = await agent.do(
        "invoke_network", "research", prompt_text="my password is 1234", poll_interval=0.01
    )
    return run["status"], run["governance_reasons"]


@scenario
async def evidence_of_an_invocation(agent: Agent) -> Any:
    invoked = await invoke(agent, amount=1)
    export = await agent.do("invocation_evidence", ABP, invoked.invocation_id)
    return export.artifact_kind, export.format, export.delivery


@scenario
async def a_package_of_evidence(agent: Agent) -> Any:
    await invoke(agent, amount=1)
    export = await agent.do("evidence_package", ABP, since=LONG_AGO, format="zip")
    return export.artifact_kind, export.format, export.delivery


@scenario
async def evidence_of_nothing(agent: Agent) -> Any:
    return await agent.do("invocation_evidence", ABP, "inv_none")


@scenario
async def usage(agent: Agent) -> Any:
    await invoke(agent, amount=1)
    summary = await agent.do("usage_summary")
    return summary.governed_runs, summary.adoption


@scenario
async def a_page_of_the_audit_log(agent: Agent) -> Any:
    for _ in range(3):
        await invoke(agent, amount=1)
    page = await agent.do("list_audit_log", action="abp.invoke", limit=2, offset=1)
    return len(page), page.limit, page.offset, page.total, [row["action"] for row in page.items]


@scenario
async def the_whole_audit_log(agent: Agent) -> Any:
    for _ in range(4):
        await invoke(agent, amount=1)
    rows = await agent.rows("iter_audit_log", action="abp.invoke", page_size=3)
    return [(row["action"], row["resource_kind"]) for row in rows]


@scenario
async def any_list(agent: Agent) -> Any:
    for _ in range(4):
        await invoke(agent, amount=1)
    packs = await agent.rows(
        "iter_paginated",
        "usage/summary",
        page_size=3,
        limit_param="evidence_limit",
        offset_param="evidence_offset",
        items_key="evidence_packs",
    )
    return len(packs), [row["abp_id"] for row in await agent.rows("iter_paginated", "abps")]


@scenario
async def the_escape_hatch(agent: Agent) -> Any:
    bare = await agent.do("get", "abps", params={"limit": 1, "offset": None})
    rooted = await agent.do("request", "GET", "/api/v2/abps")
    gone = await agent.do("post", f"abps/{ABP}/invoke", json={"payload": {"amount": 1}})
    return bare.json()["limit"], rooted.status_code, sorted(gone.json())


@scenario
async def a_bad_request(agent: Agent) -> Any:
    return await agent.do("get", "audit-log", params={"limit": "many"})


@scenario
async def an_api_key(agent: Agent) -> Any:
    return await agent.do("post", "api-keys", json={"name": "mine", "scopes": ["runs:read"]})
