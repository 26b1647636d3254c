"""Both clients put the same requests on the wire as the vendor's own, in the same order.

What differs on purpose: each write has an ``Idempotency-Key``.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from quatrain import __version__

from .._platform import Recorded, ServedPlatform
from ._clients import Opener, async_agent, official, official_agent, sync_agent
from ._scenarios import SCENARIOS, Scenario

FLAVOURS = {"async": async_agent, "sync": sync_agent}


async def play(
    open_agent: Opener, scenario: Scenario, platform: ServedPlatform, **install: Any
) -> tuple[list[Recorded], Any]:
    """The requests that a client sends in a scenario, and what comes of it in comparable words."""
    api_key = await platform.install(**install)
    platform.recorder.clear()
    async with open_agent(api_key, platform.origin) as agent:
        try:
            outcome = plain(await scenario(agent))
        except Exception as exc:
            outcome = {kind.__name__ for kind in type(exc).__mro__}, str(getattr(exc, "code", ""))
    requests = [
        attrs.evolve(each, authorization=each.authorization.replace(api_key, "<its key>"))
        for each in platform.recorder.requests
    ]
    return requests, outcome


def plain(value: Any) -> Any:
    """Models of either package as what they hold, less what only ours have."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return dict(value)
    if attrs.has(type(value)):
        names = [f.name for f in attrs.fields(type(value)) if f.name not in {"raw", "sandbox"}]
    elif hasattr(value, "__dataclass_fields__"):
        names = [name for name in value.__dataclass_fields__ if name != "sandbox"]
    else:
        return value
    held = {name: plain(getattr(value, name)) for name in names}
    # each founder's things are numbered on
    return held | {"id": type(held["id"]).__name__} if "id" in held else held


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_wire_is_the_same(name: str, flavour: str, platform: ServedPlatform) -> None:
    """Method, path, JSON body, key and content type; and the same comes of it."""
    expected, how = await play(official_agent, SCENARIOS[name], platform)
    requests, outcome = await play(FLAVOURS[flavour], SCENARIOS[name], platform)
    assert expected == requests
    if isinstance(how, tuple):  # an exception: its class, or a more exact one of that name
        (kinds, code), (ours, our_code) = how, outcome
        official_names = kinds & {*dir(official), "ValueError"}
        assert official_names <= ours | {"VelocityOSError"}
        assert code == our_code
    else:
        assert how == outcome


@pytest.mark.parametrize("open_agent", [official_agent, async_agent, sync_agent])
async def test_the_headers(open_agent: Opener, platform: ServedPlatform) -> None:
    """The contract's user agent and JSON, from either package."""
    requests, _ = await play(open_agent, SCENARIOS["a_new_task"], platform)
    version = "0.1.0" if open_agent is official_agent else __version__
    for request in requests:
        assert request.headers["user-agent"] == f"VelocityOS-Python-SDK/{version}"
        assert request.headers["accept"] == "application/json"
        ours = open_agent is not official_agent and request.method == "POST"
        assert ("idempotency-key" in request.headers) == ours


@pytest.mark.parametrize("name", ["tasks", "a_new_task", "whoami", "offers"])
async def test_a_scope_that_is_missing(name: str, platform: ServedPlatform) -> None:
    """The server's refusal is the same exception in all three."""
    for open_agent in (official_agent, async_agent, sync_agent):
        requests, outcome = await play(
            open_agent, SCENARIOS[name], platform, scopes=["read:profile"]
        )
        assert len(requests) == 1
        assert name == "whoami" or "ScopeMissingError" in outcome[0]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_sandbox_is_the_same(name: str, platform: ServedPlatform) -> None:
    """Dummy data, which is the same for everybody and says so."""
    outcomes = []
    for open_agent in (official_agent, async_agent):
        api_key = await platform.install(sandbox=True)
        async with open_agent(api_key, platform.origin) as agent:
            assert (await agent.do("whoami")).sandbox is True
            assert agent.client.sandbox_mode is True
            try:
                outcomes.append(plain(await SCENARIOS[name](agent)))
            except Exception as exc:
                outcomes.append(getattr(exc, "code", None) or "refused")
    theirs, ours = outcomes
    assert theirs == ours
