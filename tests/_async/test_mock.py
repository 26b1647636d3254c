"""The mock client of Vendo: it answers from what it was given, and fails as the platform would."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from quatrain._async.mock import MockAsyncClient
from quatrain._vendo_fakes import fake_connection
from quatrain.errors.vendo import (
    BalanceExhausted,
    IdentityNotPresent,
    NotConnected,
    ValidationError,
    VendoConfigError,
    VendoOnlyFeature,
)
from quatrain.models.vendo import Balance, Integration, Message, SpendCaps

GMAIL = fake_connection(slug="gmail", credential={"access_token": "ya29.test"})
SLACK = fake_connection(slug="slack", status="needs_reauth", credential={"access_token": "old"})
EVENTS = [Message("connection.connected", {"slug": slug}, id=slug) for slug in ("a", "b", "c")]


def names(vendo: MockAsyncClient) -> list[str]:
    return [call.name for call in vendo.calls]


# -- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ({"access_token": "a"}, "a"),
        ({"bot_token": "b"}, "b"),
        ({"api_key": "k"}, "k"),
        ({"other": "o", "api_key": "k", "bot_token": "b", "access_token": "a"}, "a"),
        ({"other": "o", "api_key": "k", "bot_token": "b"}, "b"),
        ({"other": "o", "api_key": "k"}, "k"),
        ({"first": "1", "second": "2"}, "1"),
        ({"access_token": "", "expires_in": 3600, "second": "2"}, "2"),
        ("sk-plain", "sk-plain"),
    ],
)
async def test_a_token_is_of_the_credential(credential: Any, expected: str) -> None:
    """By its usual names, else the first that is a text."""
    vendo = MockAsyncClient.with_connections([fake_connection(slug="x", credential=credential)])
    assert expected == await vendo.token("x")


@pytest.mark.parametrize("credential", [None, {}, "", {"access_token": None}, {"n": 1}, 1, []])
async def test_without_a_credential_there_is_no_token(credential: Any) -> None:
    """Although it says that it is connected."""
    vendo = MockAsyncClient.with_connections([fake_connection(slug="x", credential=credential)])
    with pytest.raises(NotConnected):
        await vendo.token("x")


async def test_an_unknown_slug_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of the platform; the environment is not asked."""
    monkeypatch.setenv("VENDO_TOKEN_X", "real")
    monkeypatch.setenv("OPENAI_API_KEY", "real")
    vendo = MockAsyncClient.with_connections([GMAIL])
    for slug in ("x", "openai"):
        with pytest.raises(NotConnected) as caught:
            await vendo.token(slug)
        assert ("binding_missing", slug) == (caught.value.code, caught.value.slug)
        assert f"https://vendo.test/connections/connect/{slug}" == caught.value.connect_url


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("available", NotConnected, "binding_missing"),
        ("pending_setup", NotConnected, "binding_missing"),
        ("error", NotConnected, "binding_missing"),
        ("revoked", NotConnected, "connection_revoked"),
        ("needs_reauth", NotConnected, "binding_missing"),
    ],
)
async def test_a_connection_that_is_not_connected(status: str, error: Any, code: str) -> None:
    """What the platform raises for it, though there is a credential."""
    vendo = MockAsyncClient.with_connections(
        [fake_connection(slug="x", status=status, credential={"access_token": "a"})]
    )
    with pytest.raises(error) as caught:
        await vendo.token("x")
    assert (code, "x") == (caught.value.code, caught.value.slug)


async def test_tokens_are_none_where_there_is_none() -> None:
    """Whatever the reason."""
    vendo = MockAsyncClient.with_connections([GMAIL, SLACK])
    expected = {"gmail": "ya29.test", "slack": None, "x": None}
    assert expected == await vendo.tokens(slug for slug in expected)


async def test_a_session_authorises() -> None:
    """What it sends, the responder answers."""
    vendo = MockAsyncClient(
        [GMAIL],
        responder=lambda request: httpx.Response(200, text=request.headers["Authorization"]),
    )
    async with vendo.session("gmail") as http:
        assert "Bearer ya29.test" == (await http.get("https://gmail.test/me")).text


async def test_a_session_needs_a_token_and_a_responder() -> None:
    """Nothing goes over the network by accident."""
    vendo = MockAsyncClient([GMAIL])
    with pytest.raises(NotConnected):
        vendo.session("x")
    with pytest.raises(VendoConfigError, match="responder"):
        vendo.session("gmail")


# -- the parts ------------------------------------------------------------------------------------


async def test_connections_are_those_given() -> None:
    """In their order; what is done to an answer changes nothing."""
    vendo = MockAsyncClient.with_connections([GMAIL, SLACK])
    (await vendo.connections.list()).clear()
    assert [GMAIL, SLACK] == await vendo.connections.list()
    assert SLACK is await vendo.connections.get("slack")
    assert None is await vendo.connections.get("x")


async def test_integrations_are_the_catalogue() -> None:
    """Unless others are given."""
    vendo = MockAsyncClient()
    openai = await vendo.integrations.get("openai")
    assert openai is not None
    assert ("OpenAI", ["byok_static"]) == (openai.name, openai.supported_profiles)
    assert 10 == len(await vendo.integrations.list())
    assert None is await vendo.integrations.get("x")
    other = MockAsyncClient(integrations=[Integration("x")])
    assert ["x"] == [each.slug for each in await other.integrations.list()]


def test_variables_are_the_catalogues() -> None:
    """No list for an unknown slug."""
    vendo = MockAsyncClient()
    assert ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"] == vendo.integrations.env_vars("slack")
    assert [] == vendo.integrations.env_vars("x")


async def test_billing_answers_what_was_given() -> None:
    """Nothing left, and nothing capped, unless it is."""
    empty = MockAsyncClient()
    assert (Balance(), SpendCaps()) == (
        await empty.billing.balance(),
        await empty.billing.spend_caps(),
    )
    vendo = MockAsyncClient(
        balance=Balance(5), spend_caps=SpendCaps(7), usage={"openai": {"micros": 1}}
    )
    assert (5, 7) == (
        (await vendo.billing.balance()).credits_remaining_micros,
        (await vendo.billing.spend_caps()).daily_micros,
    )
    assert {"openai": {"micros": 1}} == await vendo.billing.usage("day")
    assert {"period": "day"} == vendo.calls[-1].arguments


async def test_an_action_is_what_was_set() -> None:
    """A value, a function of the arguments, an exception; nothing else is done."""
    vendo = MockAsyncClient(
        actions={
            "LIST": [1, 2],
            "ECHO": lambda args: {"got": args["x"]},
            "FAIL": BalanceExhausted(402, code="balance_exhausted"),
        }
    )
    assert [1, 2] == await vendo.data.execute("LIST")
    assert {"got": 1} == await vendo.data.execute("ECHO", {"x": 1})
    with pytest.raises(BalanceExhausted):
        await vendo.data.execute("FAIL", {})
    with pytest.raises(ValidationError, match="OTHER"):
        await vendo.data.execute("OTHER", {})


async def test_events_are_those_given() -> None:
    """In order, once, and then the stream ends; the id is that of the last handed out."""
    vendo = MockAsyncClient(events=EVENTS)
    stream = vendo.events.subscribe()
    assert None is stream.last_event_id
    got = []
    async for message in stream:
        got.append(message)
        assert message.id == stream.last_event_id
    assert EVENTS == got


@pytest.mark.parametrize(
    ("last", "expected"), [("a", ["b", "c"]), ("c", []), ("?", ["a", "b", "c"])]
)
async def test_events_after_one(last: str, expected: list[str]) -> None:
    """What a program resumes with; all of them after an id that is not known."""
    vendo = MockAsyncClient(events=EVENTS)
    async with vendo.events.subscribe(last_event_id=last) as stream:
        assert expected == [message.id async for message in stream]


async def test_events_are_pushed() -> None:
    """Into streams that are there already; a closed one gives none."""
    vendo = MockAsyncClient()
    stream = vendo.events.subscribe()
    assert [] == [message async for message in stream]
    vendo.push(*EVENTS)
    assert EVENTS == [message async for message in stream]
    vendo.push(*EVENTS)
    await stream.aclose()
    assert [] == [message async for message in stream]


# -- scoping, modes, calls ------------------------------------------------------------------------


def test_a_page_to_connect_on() -> None:
    """Encoded as the real one's."""
    vendo = MockAsyncClient()
    assert "https://vendo.test/connections/connect/a%2Fb?app_key=mock" == vendo.connect_url("a/b")
    assert (
        "https://vendo.test/connections/connect/gmail"
        "?app_key=mock&return_to=https%3A%2F%2Fapp%2F&state=s%261"
        == vendo.connect_url("gmail", return_to="https://app/", state="s&1")
    )


async def test_a_client_for_a_user() -> None:
    """Of the same connections and calls; the calls say for whom, and show it in no repr."""
    vendo = MockAsyncClient.with_connections([GMAIL])
    scoped = vendo.for_request({"x-vendo-user-jwt": "ey.user"})
    assert "ya29.test" == await scoped.token("gmail")
    assert "ya29.test" == await vendo.for_user("ey.other").token("gmail")
    assert ["for_request", "token", "for_user", "token"] == names(vendo)
    assert [None, "ey.user", None, "ey.other"] == [call.user_jwt for call in vendo.calls]
    assert "ey." not in repr(vendo.calls)


@pytest.mark.parametrize("headers", [{}, {"X-Vendo-User-JWT": ""}, None])
def test_a_request_without_a_user(headers: Any) -> None:
    """As of the platform."""
    with pytest.raises(IdentityNotPresent):
        MockAsyncClient().for_request(headers)


async def test_oss_mode() -> None:
    """What needs the platform is refused, at the call; tokens and connections are there."""
    vendo = MockAsyncClient([GMAIL], vendo_mode=False, events=EVENTS)
    assert vendo.is_vendo_mode() is False
    assert MockAsyncClient().is_vendo_mode() is True
    assert "ya29.test" == await vendo.token("gmail")
    with pytest.raises(VendoOnlyFeature, match="events"):
        vendo.events.subscribe()
    with pytest.raises(VendoOnlyFeature, match="connect_url"):
        vendo.connect_url("gmail")
    with pytest.raises(VendoOnlyFeature, match="for_user"):
        vendo.for_user("ey.user")
    with pytest.raises(VendoOnlyFeature, match="for_request"):
        vendo.for_request({})
    with pytest.raises(VendoOnlyFeature, match="balance"):
        await vendo.billing.balance()
    with pytest.raises(VendoOnlyFeature, match="data"):
        await vendo.data.execute("LIST", {})


async def test_a_call_fails_as_it_shall() -> None:
    """With the exception that is set for its name."""
    vendo = MockAsyncClient([GMAIL], errors={"token": BalanceExhausted(402)})
    with pytest.raises(BalanceExhausted):
        await vendo.token("gmail")
    assert ["token"] == names(vendo)
    assert GMAIL is await vendo.connections.get("gmail")


async def test_calls_are_noted() -> None:
    """By the client's own names, with their arguments, in order."""
    async with MockAsyncClient.with_connections([GMAIL], actions={"A": 1}) as vendo:
        await vendo.token("gmail", timeout=3.0)
        vendo.invalidate("gmail")
        await vendo.data.execute("A", {"x": 1})
    await vendo.aclose()
    assert ["token", "invalidate", "data.execute"] == names(vendo)
    assert {"slug": "gmail"} == vendo.calls[0].arguments
    assert {"action_id": "A", "args": {"x": 1}} == vendo.calls[2].arguments


def test_no_token_is_shown() -> None:
    """In a failed test's output."""
    vendo = MockAsyncClient.with_connections([GMAIL])
    assert "ya29" not in f"{vendo!r} {GMAIL!r} {vendo.__dict__!r}"
