"""Both clients put the same requests on the wire as the vendor's own, and the same comes of them.

What differs on purpose: each POST has an ``Idempotency-Key``, and a walk asks for the next page
while its rows are still being handed out, so its last pages may be asked for in vain.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from quatrain import __version__

from .._platform import Recorded, ServedPlatform
from ._clients import Opener, async_agent, official, official_agent, sync_agent
from ._scenarios import SCENARIOS, Scenario

FLAVOURS = {"async": async_agent, "sync": sync_agent}
MADE_UP = re.compile(
    r"tenant-\d+|(?:inv|run|apr|evp|exp|aud|key)_[A-Za-z0-9_-]+|[0-9a-f]{64}|\d{4}-\d\d-\d\dT[^\"&?]*Z"
)


async def play(
    open_agent: Opener, scenario: Scenario, platform: ServedPlatform, **key: Any
) -> tuple[list[Recorded], Any]:
    """The requests that a client sends in a scenario, and what comes of it in comparable words."""
    api_key = await platform.velerian_key(**key)
    platform.recorder.clear()
    async with open_agent(api_key, platform.origin) as agent:
        try:
            outcome = plain(await scenario(agent))
        except Exception as exc:
            outcome = (
                {kind.__name__ for kind in type(exc).__mro__},
                getattr(exc, "status_code", None),
            )
    requests = [
        attrs.evolve(
            each,
            authorization=each.authorization.replace(api_key, "<its key>"),
            target=MADE_UP.sub("<made up>", each.target),
        )
        for each in platform.recorder.requests
    ]
    return polled_once(requests), outcome


def polled_once(requests: list[Recorded]) -> list[Recorded]:
    """How often a run is asked after is a matter of luck."""
    kept: list[Recorded] = []
    for request in requests:
        if "/pack-runs/" not in request.target or request not in kept:
            kept.append(request)
    return kept


def plain(value: Any) -> Any:
    """Models of either package as what they hold, less what is made up."""
    if isinstance(value, str):
        return MADE_UP.sub("<made up>", value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value)) if field.name != "raw"]
    elif hasattr(value, "__dataclass_fields__"):
        names = [name for name in value.__dataclass_fields__ if name != "raw"]
    elif hasattr(value, "status_code"):
        return value.status_code
    else:
        return value
    return {name: plain(getattr(value, name)) for name in names}


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_wire_is_the_same(name: str, flavour: str, platform: ServedPlatform) -> None:
    """Method, target, JSON body, key and content type; and the same comes of it."""
    expected, how = await play(official_agent, SCENARIOS[name], platform)
    requests, outcome = await play(FLAVOURS[flavour], SCENARIOS[name], platform)
    assert sent(expected) == sent(requests)
    if isinstance(how, tuple):  # an exception: its class, or a more exact one of that name
        (kinds, status), (ours, our_status) = how, outcome
        assert kinds & set(dir(official)) <= ours
        assert status == our_status
    else:
        assert how == outcome


def sent(requests: list[Recorded]) -> list[tuple[Any, ...]]:
    """What is compared; the query's order says nothing."""
    return [
        (
            each.method,
            each.target.partition("?")[0],
            sorted(each.target.partition("?")[2].split("&")),
            each.body,
            each.authorization,
            each.content_type,
        )
        for each in requests
    ]


@pytest.mark.parametrize("open_agent", [official_agent, async_agent, sync_agent])
async def test_the_headers(open_agent: Opener, platform: ServedPlatform) -> None:
    """The contract's user agent and JSON, from either package."""
    requests, _ = await play(open_agent, SCENARIOS["usage"], platform)
    version = official.__version__ if open_agent is official_agent else __version__
    for request in requests:
        assert request.headers["user-agent"] == f"velerian-python-sdk/{version}"
        assert request.headers["accept"] == "application/json"
        ours = open_agent is not official_agent and request.method == "POST"
        assert ("idempotency-key" in request.headers) == ours


@pytest.mark.parametrize("open_agent", [official_agent, async_agent, sync_agent])
@pytest.mark.parametrize(
    ("scopes", "name", "kind"),
    [
        (["runs:read"], "an_allowed_invocation", "VelerianForbiddenError"),
        (["runs:write"], "the_whole_audit_log", "VelerianForbiddenError"),
        (["write"], "evidence_of_an_invocation", "VelerianForbiddenError"),
        (["runs:write"], "an_api_key", "VelerianForbiddenError"),
    ],
)
async def test_a_missing_scope(
    open_agent: Opener, platform: ServedPlatform, scopes: list[str], name: str, kind: str
) -> None:
    """Is the same exception in all three."""
    _, outcome = await play(open_agent, SCENARIOS[name], platform, scopes=scopes)
    assert (True, 403) == (kind in outcome[0], outcome[1])


@pytest.mark.parametrize("open_agent", [official_agent, async_agent, sync_agent])
async def test_an_unknown_key(open_agent: Opener, platform: ServedPlatform) -> None:
    """401."""
    async with open_agent("vk_live_nobody", platform.origin) as agent:
        with pytest.raises(Exception, match="401") as caught:
            await agent.do("usage_summary")
    assert "VelerianAuthError" == type(caught.value).__name__


@pytest.mark.parametrize("open_agent", [official_agent, async_agent, sync_agent])
async def test_a_key_that_asks_too_often(open_agent: Opener, platform: ServedPlatform) -> None:
    """429 with the seconds to wait."""
    api_key = await platform.velerian_key(rate_per_minute=2)
    async with open_agent(api_key, platform.origin, max_retries=0) as agent:
        for _ in range(2):
            await agent.do("usage_summary")
        with pytest.raises(Exception, match="429") as caught:
            await agent.do("usage_summary")
    assert "VelerianRateLimitError" == type(caught.value).__name__
    assert 1 <= caught.value.retry_after <= 30  # type: ignore[attr-defined]
