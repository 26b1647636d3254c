# Generated from tests/_async/test_mock.py by scripts/make_sync.py. Do not edit.
"""The mock client of Vendo: it answers from what it was given, and fails as the platform would."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from quatrain._sync.mock import MockClient
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


def names(vendo: MockClient) -> list[str]:
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
def test_a_token_is_of_the_credential(credential: Any, expected: str) -> None:
    """By its usual names, else the first that is a text."""
    vendo = MockClient.with_connections([fake_connection(slug="x", credential=credential)])
    assert expected == vendo.token("x")


@pytest.mark.parametrize("credential", [None, {}, "", {"access_token": None}, {"n": 1}, 1, []])
def test_without_a_credential_there_is_no_token(credential: Any) -> None:
    """Although it says that it is connected."""
    vendo = MockClient.with_connections([fake_connection(slug="x", credential=credential)])
    with pytest.raises(NotConnected):
        vendo.token("x")


def test_an_unknown_slug_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of the platform; the environment is not asked."""
    monkeypatch.setenv("VENDO_TOKEN_X", "real")
    monkeypatch.setenv("OPENAI_API_KEY", "real")
    vendo = MockClient.with_connections([GMAIL])
    for slug in ("x", "openai"):
        with pytest.raises(NotConnected) as caught:
            vendo.token(slug)
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
def test_a_connection_that_is_not_connected(status: str, error: Any, code: str) -> None:
    """What the platform raises for it, though there is a credential."""
    vendo = MockClient.with_connections(
        [fake_connection(slug="x", status=status, credential={"access_token": "a"})]
    )
    with pytest.raises(error) as caught:
        vendo.token("x")
    assert (code, "x") == (caught.value.code, caught.value.slug)


def test_tokens_are_none_where_there_is_none() -> None:
    """Whatever the reason."""
    vendo = MockClient.with_connections([GMAIL, SLACK])
    expected = {"gmail": "ya29.test", "slack": None, "x": None}
    assert expected == vendo.tokens(slug for slug in expected)


def test_a_session_authorises() -> None:
    """What it sends, the responder answers."""
    vendo = MockClient(
        [GMAIL],
        responder=lambda request: httpx.Response(200, text=request.headers["Authorization"]),
    )
    with vendo.session("gmail") as http:
        assert "Bearer ya29.test" == http.get("https://gmail.test/me").text


def test_a_session_needs_a_token_and_a_responder() -> None:
    """Nothing goes over the network by accident."""
    vendo = MockClient([GMAIL])
    with pytest.raises(NotConnected):
        vendo.session("x")
    with pytest.raises(VendoConfigError, match="responder"):
        vendo.session("gmail")


# -- the parts ------------------------------------------------------------------------------------


def test_connections_are_those_given() -> None:
    """In their order; what is done to an answer changes nothing."""
    vendo = MockClient.with_connections([GMAIL, SLACK])
    vendo.connections.list().clear()
    assert [GMAIL, SLACK] == vendo.connections.list()
    assert SLACK is vendo.connections.get("slack")
    assert None is vendo.connections.get("x")


def test_integrations_are_the_catalogue() -> None:
    """Unless others are given."""
    vendo = MockClient()
    openai = vendo.integrations.get("openai")
    assert openai is not None
    assert ("OpenAI", ["byok_static"]) == (openai.name, openai.supported_profiles)
    assert 10 == len(vendo.integrations.list())
    assert None is vendo.integrations.get("x")
    other = MockClient(integrations=[Integration("x")])
    assert ["x"] == [each.slug for each in other.integrations.list()]


def test_variables_are_the_catalogues() -> None:
    """No list for an unknown slug."""
    vendo = MockClient()
    assert ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"] == vendo.integrations.env_vars("slack")
    assert [] == vendo.integrations.env_vars("x")


def test_billing_answers_what_was_given() -> None:
    """Nothing left, and nothing capped, unless it is."""
    empty = MockClient()
    assert (Balance(), SpendCaps()) == (
        empty.billing.balance(),
        empty.billing.spend_caps(),
    )
    vendo = MockClient(balance=Balance(5), spend_caps=SpendCaps(7), usage={"openai": {"micros": 1}})
    assert (5, 7) == (
        vendo.billing.balance().credits_remaining_micros,
        vendo.billing.spend_caps().daily_micros,
    )
    assert {"openai": {"micros": 1}} == vendo.billing.usage("day")
    assert {"period": "day"} == vendo.calls[-1].arguments


def test_an_action_is_what_was_set() -> None:
    """A value, a function of the arguments, an exception; nothing else is done."""
    vendo = MockClient(
        actions={
            "LIST": [1, 2],
            "ECHO": lambda args: {"got": args["x"]},
            "FAIL": BalanceExhausted(402, code="balance_exhausted"),
        }
    )
    assert [1, 2] == vendo.data.execute("LIST")
    assert {"got": 1} == vendo.data.execute("ECHO", {"x": 1})
    with pytest.raises(BalanceExhausted):
        vendo.data.execute("FAIL", {})
    with pytest.raises(ValidationError, match="OTHER"):
        vendo.data.execute("OTHER", {})


def test_events_are_those_given() -> None:
    """In order, once, and then the stream ends; the id is that of the last handed out."""
    vendo = MockClient(events=EVENTS)
    stream = vendo.events.subscribe()
    assert None is stream.last_event_id
    got = []
    for message in stream:
        got.append(message)
        assert message.id == stream.last_event_id
    assert EVENTS == got


@pytest.mark.parametrize(
    ("last", "expected"), [("a", ["b", "c"]), ("c", []), ("?", ["a", "b", "c"])]
)
def test_events_after_one(last: str, expected: list[str]) -> None:
    """What a program resumes with; all of them after an id that is not known."""
    vendo = MockClient(events=EVENTS)
    with vendo.events.subscribe(last_event_id=last) as stream:
        assert expected == [message.id for message in stream]


def test_events_are_pushed() -> None:
    """Into streams that are there already; a closed one gives none."""
    vendo = MockClient()
    stream = vendo.events.subscribe()
    assert [] == [message for message in stream]
    vendo.push(*EVENTS)
    assert EVENTS == [message for message in stream]
    vendo.push(*EVENTS)
    stream.close()
    assert [] == [message for message in stream]


# -- scoping, modes, calls ------------------------------------------------------------------------


def test_a_page_to_connect_on() -> None:
    """Encoded as the real one's."""
    vendo = MockClient()
    assert "https://vendo.test/connections/connect/a%2Fb?app_key=mock" == vendo.connect_url("a/b")
    assert (
        "https://vendo.test/connections/connect/gmail"
        "?app_key=mock&return_to=https%3A%2F%2Fapp%2F&state=s%261"
        == vendo.connect_url("gmail", return_to="https://app/", state="s&1")
    )


def test_a_client_for_a_user() -> None:
    """Of the same connections and calls; the calls say for whom, and show it in no repr."""
    vendo = MockClient.with_connections([GMAIL])
    scoped = vendo.for_request({"x-vendo-user-jwt": "ey.user"})
    assert "ya29.test" == scoped.token("gmail")
    assert "ya29.test" == vendo.for_user("ey.other").token("gmail")
    assert ["for_request", "token", "for_user", "token"] == names(vendo)
    assert [None, "ey.user", None, "ey.other"] == [call.user_jwt for call in vendo.calls]
    assert "ey." not in repr(vendo.calls)


@pytest.mark.parametrize("headers", [{}, {"X-Vendo-User-JWT": ""}, None])
def test_a_request_without_a_user(headers: Any) -> None:
    """As of the platform."""
    with pytest.raises(IdentityNotPresent):
        MockClient().for_request(headers)


def test_oss_mode() -> None:
    """What needs the platform is refused, at the call; tokens and connections are there."""
    vendo = MockClient([GMAIL], vendo_mode=False, events=EVENTS)
    assert vendo.is_vendo_mode() is False
    assert MockClient().is_vendo_mode() is True
    assert "ya29.test" == vendo.token("gmail")
    with pytest.raises(VendoOnlyFeature, match="events"):
        vendo.events.subscribe()
    with pytest.raises(VendoOnlyFeature, match="connect_url"):
        vendo.connect_url("gmail")
    with pytest.raises(VendoOnlyFeature, match="for_user"):
        vendo.for_user("ey.user")
    with pytest.raises(VendoOnlyFeature, match="for_request"):
        vendo.for_request({})
    with pytest.raises(VendoOnlyFeature, match="balance"):
        vendo.billing.balance()
    with pytest.raises(VendoOnlyFeature, match="data"):
        vendo.data.execute("LIST", {})


def test_a_call_fails_as_it_shall() -> None:
    """With the exception that is set for its name."""
    vendo = MockClient([GMAIL], errors={"token": BalanceExhausted(402)})
    with pytest.raises(BalanceExhausted):
        vendo.token("gmail")
    assert ["token"] == names(vendo)
    assert GMAIL is vendo.connections.get("gmail")


def test_calls_are_noted() -> None:
    """By the client's own names, with their arguments, in order."""
    with MockClient.with_connections([GMAIL], actions={"A": 1}) as vendo:
        vendo.token("gmail", timeout=3.0)
        vendo.invalidate("gmail")
        vendo.data.execute("A", {"x": 1})
    vendo.close()
    assert ["token", "invalidate", "data.execute"] == names(vendo)
    assert {"slug": "gmail"} == vendo.calls[0].arguments
    assert {"action_id": "A", "args": {"x": 1}} == vendo.calls[2].arguments


def test_no_token_is_shown() -> None:
    """In a failed test's output."""
    vendo = MockClient.with_connections([GMAIL])
    assert "ya29" not in f"{vendo!r} {GMAIL!r} {vendo.__dict__!r}"
