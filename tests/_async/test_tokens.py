"""Tokens: where they come from, how long they are kept, and how they are renewed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from quatrain._async.reconciler import bootstrap, plan
from quatrain._secret import Secret
from quatrain._tokens import AHEAD, HOLD_OFF, TOKENS, UNDATED, Token
from quatrain.vendo import (
    AsyncVendo,
    AuthError,
    NotConnected,
    VendoAPIError,
    VendoTransportError,
)

from .._doubles import AsyncInstantClock
from .._vendo import CREDENTIALS, FakeVendo, refusal

Connect = Callable[..., AsyncVendo]


def lasting(token: str, seconds: float, **fields: Any) -> dict[str, Any]:
    """An answer whose token is good for so long from now."""
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"access_token": token, "expires_at": expires.isoformat(), **fields}


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# -- resolution -----------------------------------------------------------------------------------


async def test_a_variable_goes_before_all_else(
    vendo: AsyncVendo, platform: FakeVendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In either mode, and without a request; hyphens are underscores there."""
    monkeypatch.setenv("VENDO_TOKEN_OPENAI", "by-hand")
    monkeypatch.setenv("VENDO_TOKEN_MY_CRM", "crm")
    monkeypatch.setenv("OPENAI_API_KEY", "own")
    assert await vendo.token("openai") == "by-hand"
    assert await vendo.token("my-crm") == "crm"
    assert await vendo.tokens(["openai", "my-crm"]) == {"openai": "by-hand", "my-crm": "crm"}
    assert platform.requests == []
    async with AsyncVendo() as without:
        assert await without.token("openai") == "by-hand"


async def test_the_platform_goes_before_a_key_of_ones_own(
    vendo: AsyncVendo, platform: FakeVendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where it has none, there is none: another credential than meant would be worse."""
    monkeypatch.setenv("OPENAI_API_KEY", "own")
    monkeypatch.setenv("VENDO_TOKEN_OPENAI", "")
    assert await vendo.token("openai") == "tok-1"
    vendo.invalidate("openai")
    platform.faults.append(refusal(404, "binding_missing", slug="openai"))
    with pytest.raises(NotConnected):
        await vendo.token("openai")


async def test_without_a_platform_a_key_of_ones_own(
    platform: FakeVendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the primary variable only; without it the error names what to set."""
    async with AsyncVendo() as vendo:
        monkeypatch.setenv("SLACK_SIGNING_SECRET", "no token")
        with pytest.raises(NotConnected, match="SLACK_BOT_TOKEN or VENDO_TOKEN_SLACK") as caught:
            await vendo.token("slack")
        assert (caught.value.code, caught.value.slug) == ("binding_missing", "slack")
        monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-own")
        assert await vendo.token("slack") == "xoxb-own"
        with pytest.raises(NotConnected, match="VENDO_TOKEN_A_B"):
            await vendo.token("a-b")
        assert await vendo.tokens(["slack", "a-b"]) == {"slack": "xoxb-own", "a-b": None}
    assert platform.requests == []


async def test_several_are_one_request(vendo: AsyncVendo, platform: FakeVendo) -> None:
    """For those that are needed; None where there is none, and what came is kept."""
    await vendo.token("openai")
    found = await vendo.tokens(["openai", "slack", "gmail", "slack"])
    assert found == {"openai": "tok-1", "slack": "xoxb-1", "gmail": None}
    assert await vendo.token("slack") == "xoxb-1"
    assert platform.targets == [
        f"GET {CREDENTIALS}/openai",
        f"GET {CREDENTIALS}/_bulk?slugs=slack%2Cgmail",
    ]


async def test_several_that_fail_are_no_loss(vendo: AsyncVendo, platform: FakeVendo) -> None:
    """The next call asks again."""
    platform.faults.append(refusal(401, "app_revoked"))
    with pytest.raises(AuthError):
        await vendo.tokens(["openai", "slack"])
    assert await vendo.tokens(["openai", "slack"]) == {"openai": "tok-1", "slack": "xoxb-1"}


# -- how long they are kept -----------------------------------------------------------------------


async def test_clients_share_what_is_kept(connect_vendo: Connect, platform: FakeVendo) -> None:
    """Of the same key, user and host; any other asks for itself."""
    await connect_vendo().token("openai")
    await connect_vendo().token("openai")
    assert len(platform.requests) == 1
    others = [
        connect_vendo(api_key="vendo_sk_other"),
        connect_vendo(credentials_url="https://other.example"),
        connect_vendo().for_user("jwt.of.ann"),
        connect_vendo().for_user("jwt.of.bob"),
    ]
    for other in others:
        await other.token("openai")
    assert len(platform.requests) == 5
    assert await connect_vendo(user_jwt="jwt.of.bob").token("openai") == "tok-1"
    assert len(platform.requests) == 5


async def test_an_undated_token(
    vendo: AsyncVendo, platform: FakeVendo, instant: AsyncInstantClock
) -> None:
    """Is kept for fifty minutes."""
    await vendo.token("openai")
    instant.time += UNDATED - 1
    await vendo.token("openai")
    assert len(platform.requests) == 1
    instant.time += 2
    await vendo.token("openai")
    assert len(platform.requests) == 2


@pytest.mark.parametrize("kind", ["iso", "z", "naive", "unix"])
async def test_a_dated_token(
    vendo: AsyncVendo,
    platform: FakeVendo,
    instant: AsyncInstantClock,
    far_east: None,
    kind: str,
) -> None:
    """Is renewed a minute before it expires, however its expiry is written, wherever one is."""
    expires = datetime.now(UTC) + timedelta(seconds=1000)
    written = {
        "iso": expires.isoformat(),
        "z": expires.isoformat().replace("+00:00", "Z"),
        "naive": expires.replace(tzinfo=None).isoformat(),
        "unix": expires.timestamp(),
    }
    platform.tokens["openai"] = {"access_token": "tok-1", "expires_at": written[kind]}
    await vendo.token("openai")
    instant.time += 1000 - AHEAD - 5
    await vendo.token("openai")
    assert len(platform.requests) == 1
    instant.time += 10
    platform.tokens["openai"] = "tok-2"
    assert await vendo.token("openai") == "tok-2"


async def test_whoever_comes_while_it_is_renewed(
    vendo: AsyncVendo, platform: FakeVendo, instant: AsyncInstantClock
) -> None:
    """Goes on with the old one, without waiting."""
    platform.tokens["openai"] = lasting("tok-1", 1000)
    await vendo.token("openai")
    instant.time += 1000 - AHEAD + 1
    key = next(iter(TOKENS.known()))
    flight, leads = TOKENS.flights.join(key)
    assert leads
    assert await vendo.token("openai") == "tok-1"
    TOKENS.land(key, flight, Token(Secret("tok-2")))
    assert await vendo.token("openai") == "tok-2"


async def test_whoever_leads_too_late(
    vendo: AsyncVendo, platform: FakeVendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finds the token that landed between two looks, and asks for none."""
    join = TOKENS.flights.join

    def late(key: Any) -> Any:
        monkeypatch.undo()
        flight, _ = join(key)
        TOKENS.land(key, flight, Token(Secret("tok-2")))
        return join(key)

    monkeypatch.setattr(TOKENS.flights, "join", late)
    assert await vendo.token("openai") == "tok-2"
    assert platform.requests == []


async def test_a_renewal_that_fails_ahead_of_time(
    vendo: AsyncVendo, platform: FakeVendo, instant: AsyncInstantClock
) -> None:
    """Leaves the old token in use, and is tried again some seconds later."""
    platform.tokens["openai"] = lasting("tok-1", 1000)
    await vendo.token("openai")
    instant.time += 1000 - AHEAD + 1
    platform.faults += [503] * 3
    asked = len(platform.requests)
    assert await vendo.token("openai") == "tok-1"
    assert await vendo.token("openai") == "tok-1"
    assert len(platform.requests) == asked + 3
    instant.time += HOLD_OFF
    platform.tokens["openai"] = "tok-2"
    assert await vendo.token("openai") == "tok-2"


async def test_a_renewal_that_is_refused(
    vendo: AsyncVendo, platform: FakeVendo, instant: AsyncInstantClock
) -> None:
    """Says so: the platform took the token back."""
    platform.tokens["openai"] = lasting("tok-1", 1000)
    await vendo.token("openai")
    instant.time += 1000 - AHEAD + 1
    platform.faults.append(refusal(403, "connection_revoked", slug="openai"))
    with pytest.raises(NotConnected):
        await vendo.token("openai")


async def test_an_expired_token_is_not_used(
    vendo: AsyncVendo, platform: FakeVendo, instant: AsyncInstantClock
) -> None:
    """When it can't be renewed, that is an error."""
    platform.tokens["openai"] = lasting("tok-1", 100)
    await vendo.token("openai")
    instant.time += 101
    platform.faults += [httpx.ConnectError("down")] * 3
    with pytest.raises(VendoTransportError):
        await vendo.token("openai")


async def test_invalidate(connect_vendo: Connect, platform: FakeVendo) -> None:
    """Drops one, or all of this client's and no others."""
    vendo, other = connect_vendo(), connect_vendo(api_key="vendo_sk_other")
    for client in (vendo, other):
        await client.tokens(["openai", "slack"])
    vendo.invalidate("openai")
    await vendo.tokens(["openai", "slack"])
    assert platform.targets[2:] == [f"GET {CREDENTIALS}/_bulk?slugs=openai"]
    vendo.invalidate()
    await vendo.tokens(["openai", "slack"])
    await other.tokens(["openai", "slack"])
    assert platform.targets[3:] == [f"GET {CREDENTIALS}/_bulk?slugs=openai%2Cslack"]


async def test_a_mapping_is_given_the_tokens_there_are(
    vendo: AsyncVendo, platform: FakeVendo, tmp_path: Path
) -> None:
    """Also where others are kept, as whoever missed an event has; each is asked for once."""

    async def mapping() -> dict[str, str]:
        several = await vendo.tokens(["openai", "slack"])
        return {"ONE": await vendo.token("openai"), "OTHER": str(several["slack"])}

    await vendo.tokens(["openai", "slack"])
    platform.tokens = {"openai": "tok-2", "slack": "xoxb-2"}
    await bootstrap(tmp_path / ".env", mapping)
    assert (tmp_path / ".env").read_text() == "ONE=tok-2\nOTHER=xoxb-2\n"
    assert await vendo.token("openai") == "tok-2"
    assert platform.targets == [f"GET {CREDENTIALS}/_bulk?slugs=openai%2Cslack"] * 2


async def test_a_mapping_while_the_platform_is_away(
    vendo: AsyncVendo, platform: FakeVendo, tmp_path: Path
) -> None:
    """It goes on with what is kept, as all others do."""

    async def mapping() -> dict[str, str]:
        return {"ONE": await vendo.token("openai")}

    await vendo.token("openai")
    platform.faults += [503] * 3
    assert (await plan(tmp_path / ".env", mapping)).added == ["ONE"]
    assert await vendo.token("openai") == "tok-1"
    assert len(platform.requests) == 4


@pytest.mark.parametrize("bulk", [True, False])
async def test_a_mapping_finds_that_there_is_none(
    vendo: AsyncVendo, platform: FakeVendo, tmp_path: Path, bulk: bool
) -> None:
    """Then what was kept is no good to anybody."""

    async def mapping() -> dict[str, str]:
        if bulk:
            return {"ONE": str((await vendo.tokens(["openai"]))["openai"])}
        return {"ONE": await vendo.token("openai")}

    await vendo.token("openai")
    if bulk:
        platform.tokens = {}
        await bootstrap(tmp_path / ".env", mapping)
        assert (tmp_path / ".env").read_text() == "ONE=None\n"
    else:
        platform.faults.append(refusal(404, "binding_missing", slug="openai"))
        with pytest.raises(NotConnected):
            await bootstrap(tmp_path / ".env", mapping)
    platform.tokens = {"openai": "tok-2"}
    assert await vendo.token("openai") == "tok-2"


async def test_what_was_asked_for_before_it_was_invalidated_is_not_kept(
    vendo: AsyncVendo, platform: FakeVendo
) -> None:
    """It may be just what was meant to be forgotten."""
    platform.meanwhile = lambda _: vendo.invalidate("openai")
    assert await vendo.token("openai") == "tok-1"
    platform.meanwhile = lambda _: None
    platform.tokens["openai"] = "tok-2"
    assert await vendo.token("openai") == "tok-2"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "tok-secret", "token_type": 7},
        {"access_token": "tok-secret", "expires_at": "soon"},
        {"access_token": "tok-secret", "expires_at": [7]},
    ],
)
async def test_an_answer_that_is_no_token(
    vendo: AsyncVendo, platform: FakeVendo, answer: Any
) -> None:
    """Is a typed error without the token in it."""
    platform.faults.append(httpx.Response(200, json=answer))
    with pytest.raises(VendoAPIError, match="unexpected answer") as caught:
        await vendo.token("openai")
    assert "secret" not in f"{caught.value!r} {caught.value.__dict__}"
