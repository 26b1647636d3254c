"""Both clients put the same requests on the wire as the vendor's own, in the same order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from .._platform import Recorded, ServedPlatform
from ._agents import Opener, Outcome, async_agent, official, official_agent, sync_agent
from ._scenarios import SCENARIOS, Scenario, decline, receipt

Requests = list[Recorded]


def _null_results_sent(requests: Requests) -> Requests:
    return [
        attrs.evolve(request, body={"result": None, **request.body})
        if request.verb == "commit"
        else request
        for request in requests
    ]


def _slash_encoded(requests: Requests) -> Requests:
    return [
        attrs.evolve(request, target=request.target.replace("acme/refunds", "acme%2Frefunds"))
        for request in requests
    ]


def _last_commit_repeated(requests: Requests) -> Requests:
    return [*requests, next(each for each in reversed(requests) if each.verb == "commit")]


def _never_acted_again(requests: Requests) -> Requests:
    return [
        request
        for request in requests
        if request.verb != "commit" or request.body["source"] == "observed"
    ]


@attrs.frozen
class Difference:
    """What this project's clients do otherwise, and why."""

    reason: str
    of_requests: Callable[[Requests], Requests]
    """From the official client's requests to ours."""
    outcome: Outcome | None = None
    """What comes of ours, where something else comes of the official one."""


ON_PURPOSE: dict[str, Difference] = {
    "act_returns_none": Difference(
        "the contract sends a null result; the official client leaves it out", _null_results_sent
    ),
    "namespace_with_a_slash": Difference(
        "a namespace is one segment of the path, whatever it holds; the platform knows both",
        _slash_encoded,
    ),
    "commit_meets_a_gateway": Difference(
        "a 502 whose body is HTML is passing trouble like any 5xx: the commit is sent again",
        _last_commit_repeated,
        outcome=Outcome(repr(receipt())),
    ),
    "low_level_commit_unavailable_for_a_moment": Difference(
        "the fence token makes a commit safe to repeat, from whichever method it comes",
        _last_commit_repeated,
        outcome=Outcome(repr("accepted")),
    ),
    "observed_commit_unavailable": Difference(
        "observe found the action done: acting, though its commit failed, would do it twice",
        _never_acted_again,
        outcome=Outcome(None, ("CommitUncertainError",)),
    ),
}
"""Besides: the text of a failure's stack trace, and how long observe took, are each client's own;
the report of an observe is sent in the background, beside other requests."""


async def play(
    open_agent: Opener, scenario: Scenario, platform: ServedPlatform, **settings: Any
) -> tuple[Requests, Outcome]:
    """The requests that a client sends in a scenario, and what comes of it."""
    platform.recorder.clear()
    async with open_agent(platform, **settings) as agent:
        outcome = await agent.outcome(scenario(agent))
        return _comparable(platform.recorder.requests, agent.api_key), outcome


def _comparable(requests: Requests, api_key: str) -> Requests:
    numbers = itertools.count(1)
    names: dict[str, str] = {}
    compared: Requests = []
    for request in requests:
        body = dict(request.body)
        if token := body.get("leaseToken"):
            names.setdefault(token, f"lease token {next(numbers)}")
            body["leaseToken"] = names[token]
        if isinstance(body.get("error"), dict) and "stack" in body["error"]:
            assert decline.__name__ in body["error"]["stack"]
            body["error"] = {**body["error"], "stack": "a text of its own"}
        if "durationMs" in body and request.verb == "report-observe":
            assert isinstance(body["durationMs"], int)
            body["durationMs"] = "its own"
        authorization = request.authorization.replace(api_key, "<its key>")
        compared.append(attrs.evolve(request, body=body, authorization=authorization))
    return sorted(compared, key=lambda request: request.verb == "report-observe")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official client's retries wait on the real clock: not for long, here."""
    monkeypatch.setattr(official.client, "_COMMIT_FAIL_RETRY_BASE_S", 0.0)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_wire_is_the_same(name: str, platform: ServedPlatform) -> None:
    """Method, path, JSON body, key and content type of every request, and what comes of it."""
    expected, how = await play(official_agent, SCENARIOS[name], platform)
    difference = ON_PURPOSE.get(name)
    if difference is not None:
        changed = difference.of_requests(expected)
        assert changed != expected, "there is no difference any more"
        expected, how = changed, difference.outcome or how
    for open_agent in (async_agent, sync_agent):
        requests, outcome = await play(open_agent, SCENARIOS[name], platform)
        assert expected == requests
        assert outcome.same_as(how), (how, outcome)


@pytest.mark.parametrize("name", ["fresh_act", "every_option", "workflow_run", "cached_failure"])
@pytest.mark.parametrize(
    "settings",
    [
        {"agent_id": "agent-1"},
        {"agent_id": "agent-1", "namespace": "another namespace"},
        {"auto_renew": False, "renew_at_fraction": 0.5, "request_timeout_s": 5.0},
    ],
    ids=["agent", "namespace", "no renewal"],
)
async def test_settings_show_on_the_wire_the_same_way(
    name: str, settings: dict[str, Any], platform: ServedPlatform
) -> None:
    """Those of the constructor."""
    expected, how = await play(official_agent, SCENARIOS[name], platform, **settings)
    for open_agent in (async_agent, sync_agent):
        requests, outcome = await play(open_agent, SCENARIOS[name], platform, **settings)
        assert expected == requests
        assert outcome.same_as(how), (how, outcome)


async def test_what_differs_is_a_scenario() -> None:
    """Every line of the table is about one that is run."""
    assert ON_PURPOSE.keys() <= SCENARIOS.keys()
