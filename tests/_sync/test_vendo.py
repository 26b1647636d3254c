# Generated from tests/_async/test_vendo.py by scripts/make_sync.py. Do not edit.
"""The client of Vendo: its settings and its two modes, and what it sends."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import quatrain
from quatrain._sync import shortcuts
from quatrain.vendo import (
    Balance,
    IdentityNotPresent,
    ValidationError,
    Vendo,
    VendoAPIError,
    VendoConfigError,
    VendoError,
    VendoOnlyFeature,
    VendoTransportError,
)
from quatrain.vendo.testing import MockClient, webhook_delivery

from .. import _vendo
from .._doubles import InstantClock
from .._vendo import CREDENTIALS, KEY, ORIGIN, PROXY, FakeVendo

Connect = Callable[..., Vendo]

# -- settings -------------------------------------------------------------------------------------


def test_the_hosted_platform_is_the_default(
    platform: FakeVendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the environment names another one; an empty value counts as unset."""
    monkeypatch.setenv("VENDO_API_KEY", KEY)
    monkeypatch.setenv("VENDO_BASE_URL", "")
    with Vendo() as vendo:
        assert repr(vendo) == "<Vendo https://vendo.run>"
    monkeypatch.setenv("VENDO_BASE_URL", "http://127.0.0.1:8787/")
    with Vendo() as vendo:
        assert repr(vendo) == "<Vendo http://127.0.0.1:8787>"


def test_the_mode(platform: FakeVendo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key makes it, from an argument or the environment; an empty variable is none."""
    monkeypatch.setenv("VENDO_API_KEY", "")
    with Vendo() as vendo:
        assert not vendo.is_vendo_mode()
        assert repr(vendo) == "<Vendo without a platform>"
    with Vendo(KEY) as vendo:
        assert vendo.is_vendo_mode()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"api_key": 7}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"base_url": "http://example.com"}, "unencrypted"),
        ({"credentials_url": "http://example.com"}, "unencrypted"),
        ({"data_proxy_url": "ftp://example.com"}, "base_url"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"http_client": object()}, "http_client"),
    ],
)
def test_a_setting_that_can_not_be_is_a_config_error(
    platform: FakeVendo, settings: dict[str, Any], reason: str
) -> None:
    """Of this platform and of the shared kind, and it names the setting."""
    with pytest.raises(VendoConfigError, match=reason) as caught:
        Vendo(**{"api_key": KEY, **settings})
    assert isinstance(caught.value, quatrain.ConfigError)
    assert isinstance(caught.value, VendoError)


def test_a_closed_client_says_so(connect_vendo: Connect) -> None:
    """Whatever host it would have asked; closing twice is fine."""
    with connect_vendo() as vendo:
        pass
    vendo.close()
    for asked in (vendo.connections.list, vendo.billing.balance):
        with pytest.raises(VendoConfigError, match="closed"):
            asked()
    with pytest.raises(VendoConfigError, match="closed"):
        vendo.token("openai")


# -- what goes out --------------------------------------------------------------------------------


def test_every_endpoint(vendo: Vendo, platform: FakeVendo) -> None:
    """Method, host and path, as the contract has them."""
    platform.data = {
        "deployments/me/connections": {"connections": []},
        "integrations": {"integrations": []},
        "integrations/openai": {"slug": "openai"},
        "billing/balance": {},
        "billing/spend-caps": {},
        "billing/usage": {},
    }
    vendo.connections.list()
    vendo.connections.get("openai")
    vendo.integrations.list()
    vendo.integrations.get("openai")
    vendo.billing.balance()
    vendo.billing.spend_caps()
    vendo.billing.usage("day")
    vendo.token("openai")
    vendo.tokens(["openai", "slack", "gmail"])
    vendo.data.execute("slack.messages.send", {"text": "hi"})
    assert platform.targets == [
        f"GET {ORIGIN}/api/deployments/me/connections",
        f"GET {ORIGIN}/api/deployments/me/connections",
        f"GET {ORIGIN}/api/integrations",
        f"GET {ORIGIN}/api/integrations/openai",
        f"GET {ORIGIN}/api/billing/balance",
        f"GET {ORIGIN}/api/billing/spend-caps",
        f"GET {ORIGIN}/api/billing/usage?period=day",
        f"GET {CREDENTIALS}/openai",
        f"GET {CREDENTIALS}/_bulk?slugs=slack%2Cgmail",
        f"POST {PROXY}/v1/execute",
    ]
    sent = {"action_id": "slack.messages.send", "args": {"text": "hi"}}
    assert _vendo.body(platform.requests[-1]) == sent


def test_the_headers(vendo: Vendo, platform: FakeVendo) -> None:
    """The key everywhere, the version to the platform, an idempotency key with a write."""
    platform.data["billing/balance"] = {}
    vendo.billing.balance()
    vendo.data.execute("echo")
    asked, written = (request.headers for request in platform.requests)
    assert asked["authorization"] == f"Bearer {KEY}"
    assert asked["vendo-api-version"] == "2026-05-02"
    assert asked["accept"] == "application/json"
    assert "x-vendo-user-jwt" not in asked
    assert "idempotency-key" not in asked
    assert len(written["idempotency-key"]) == 36


def test_a_user_scoped_client(vendo: Vendo, platform: FakeVendo) -> None:
    """Says for whom on every host, and shares what the client has."""
    platform.data["billing/balance"] = {}
    ann = vendo.for_user("jwt.of.ann")
    ann.billing.balance()
    ann.token("openai")
    ann.data.execute("echo")
    vendo.billing.balance()
    sent = [request.headers.get("x-vendo-user-jwt") for request in platform.requests]
    assert sent == ["jwt.of.ann"] * 3 + [None]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-vendo-user-jwt": "jwt.of.ann"},
        {"X-VENDO-USER-JWT": "jwt.of.ann"},
        [(b"x-vendo-user-jwt", b"jwt.of.ann")],
        httpx.Headers({"X-Vendo-User-JWT": "jwt.of.ann"}),
    ],
    ids=["lower", "upper", "asgi", "httpx"],
)
def test_a_request_scoped_client(vendo: Vendo, platform: FakeVendo, headers: Any) -> None:
    """Takes the user from the request's header, in any case."""
    vendo.for_request(headers).token("openai")
    assert platform.requests[0].headers["x-vendo-user-jwt"] == "jwt.of.ann"


@pytest.mark.parametrize("headers", [{}, {"X-Vendo-User-JWT": ""}, {"authorization": "x"}, None])
def test_a_request_without_a_user(vendo: Vendo, headers: Any) -> None:
    """Is told apart from one that is somebody's."""
    with pytest.raises(IdentityNotPresent, match="X-Vendo-User-JWT") as caught:
        vendo.for_request(headers)
    assert caught.value.code == "identity_not_present"


@pytest.mark.parametrize("jwt", ["", "a\nb", "ä", "x" * 9000, 7])
def test_a_user_that_no_header_can_carry(vendo: Vendo, jwt: Any) -> None:
    """Is refused before any request."""
    with pytest.raises(ValidationError):
        vendo.for_user(jwt)


def test_closing_a_scoped_client_closes_nothing(vendo: Vendo, platform: FakeVendo) -> None:
    """It is its parent's connections that it uses."""
    platform.data["billing/balance"] = {}
    with vendo.for_user("jwt.of.ann"):
        pass
    assert vendo.billing.balance() == Balance()


def test_the_connect_page(vendo: Vendo, platform: FakeVendo) -> None:
    """Its address is put together without a request."""
    url = httpx.URL(vendo.connect_url("my/crm", return_to="https://app.example/?a=1&b", state="s+"))
    assert str(url).startswith(f"{ORIGIN}/connections/connect/my%2Fcrm?")
    assert dict(url.params) == {
        "app_key": KEY,
        "return_to": "https://app.example/?a=1&b",
        "state": "s+",
    }
    assert platform.requests == []


def test_a_state_is_made_up(vendo: Vendo) -> None:
    """Unless one is given; another one each time."""
    urls = [vendo.connect_url("slack", return_to="https://app.example/") for _ in range(2)]
    states = {httpx.URL(url).params["state"] for url in urls}
    assert len(states) == 2
    assert min(map(len, states)) >= 32


def test_where_to_return_is_up_to_the_platform(vendo: Vendo) -> None:
    """Unless it is said, by position too."""
    assert set(httpx.URL(vendo.connect_url("slack")).params) == {"app_key", "state"}
    url = httpx.URL(vendo.connect_url("slack", "https://app.example/", "s"))
    assert url.params["return_to"] == "https://app.example/"


def test_the_connect_page_below_a_path(connect_vendo: Connect) -> None:
    """A base URL's own path stays."""
    vendo = connect_vendo(base_url="https://gateway.example/vendo")
    url = vendo.connect_url("slack", return_to="https://app.example/")
    assert url.startswith("https://gateway.example/vendo/connections/connect/slack?")


def test_an_idempotency_key_of_ones_own_is_sent_with_each_try(
    vendo: Vendo, platform: FakeVendo
) -> None:
    """So that the platform knows the second for what it is."""
    platform.faults += [503, httpx.ReadTimeout("no answer")]
    vendo.data.execute("echo", idempotency_key="order-1")
    keys = [request.headers["idempotency-key"] for request in platform.requests]
    assert keys == ["order-1"] * 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_may_pass_is_tried_three_times(
    vendo: Vendo, platform: FakeVendo, instant: InstantClock, status: int
) -> None:
    """After half a second and a second, with up to a quarter more."""
    platform.faults += [status] * 3
    with pytest.raises(VendoAPIError) as caught:
        vendo.billing.balance()
    assert len(caught.value.attempts) == 3
    first, second = instant.slept
    assert 0.5 <= first <= 0.625
    assert 1.0 <= second <= 1.25


def test_no_answer(vendo: Vendo, platform: FakeVendo) -> None:
    """Is an error of the transport, after three tries."""
    platform.faults += [httpx.ConnectError("refused")] * 3
    with pytest.raises(VendoTransportError, match="refused") as caught:
        vendo.billing.balance()
    assert isinstance(caught.value, quatrain.TransportError)
    assert not caught.value.sent


# -- without a platform ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "feature",
    [
        "connections.list",
        "integrations.list",
        "billing.balance",
        "billing.spend_caps",
        "billing.usage",
    ],
)
def test_what_needs_the_platform(platform: FakeVendo, feature: str) -> None:
    """Is refused by name, before any request."""
    part, _, method = feature.partition(".")
    with Vendo() as vendo:
        with pytest.raises(VendoOnlyFeature, match=feature) as caught:
            getattr(getattr(vendo, part), method)()
    assert caught.value.code == "vendo_only_feature"


def test_what_needs_the_platform_at_the_call(platform: FakeVendo) -> None:
    """And not only when somebody waits for it, or iterates over it."""
    with Vendo() as vendo:
        with pytest.raises(VendoOnlyFeature, match="connect_url"):
            vendo.connect_url("slack")
        with pytest.raises(VendoOnlyFeature, match="for_user"):
            vendo.for_user("jwt")
        with pytest.raises(VendoOnlyFeature, match="for_request"):
            vendo.for_request({})
        with pytest.raises(VendoOnlyFeature, match=r"events\.subscribe"):
            vendo.events.subscribe()
        with pytest.raises(VendoOnlyFeature, match=r"data\.execute"):
            vendo.data.execute("echo")


# -- bad input ------------------------------------------------------------------------------------


def test_bad_arguments(vendo: Vendo, platform: FakeVendo) -> None:
    """Are refused before any request, as input errors of both kinds."""
    calls: list[Callable[[], Any]] = [
        lambda: vendo.token(""),
        lambda: vendo.token(7),
        lambda: vendo.token("_bulk"),
        lambda: vendo.token("a,b"),
        lambda: vendo.tokens("openai"),
        lambda: vendo.tokens([7]),
        lambda: vendo.connections.get(""),
        lambda: vendo.integrations.get(" "),
        lambda: vendo.billing.usage("year"),
        lambda: vendo.data.execute(""),
        lambda: vendo.data.execute("echo", ["args"]),
        lambda: vendo.data.execute("echo", {"a": {1}}),
        lambda: vendo.data.execute("echo", idempotency_key="a\nb"),
        lambda: vendo.data.execute("echo", timeout=-1),
    ]
    for call in calls:
        with pytest.raises(ValidationError) as caught:
            call()
        assert isinstance(caught.value, quatrain.InputError)
        assert (caught.value.code, caught.value.status) == ("validation_failed", None)
    for at_once in (
        lambda: vendo.session(""),
        lambda: vendo.invalidate(""),
        lambda: vendo.connect_url("slack", return_to=""),
        lambda: vendo.connect_url("slack", return_to="https://a.example", state=""),
        lambda: vendo.integrations.env_vars(""),
    ):
        with pytest.raises(ValidationError):
            at_once()
    assert platform.requests == []


def test_an_effect_needs_a_ledger(vendo: Vendo) -> None:
    """It is the umbrella client that holds both."""
    with pytest.raises(VendoConfigError, match="Client"):
        vendo.data.execute("echo", effect_key="once")


def test_webhooks_are_verified_in_either_mode(
    vendo: Vendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the environment's secret: no key is needed, and no request made."""
    monkeypatch.setenv("VENDO_WEBHOOK_SECRET", "whsec")
    headers, body = webhook_delivery("whsec", "connection.connected", {"slug": "slack"})
    with Vendo() as without:
        for client in (vendo, without):
            assert client.webhooks.verify(headers, body).data == {"slug": "slack"}


# -- shortcuts ------------------------------------------------------------------------------------


def test_the_shortcuts_follow_the_environment(
    platform: FakeVendo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client is made of it, and another when it changes."""
    assert not shortcuts.is_vendo_mode()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-own")
    assert shortcuts.token("openai") == "sk-own"
    assert shortcuts.tokens(["openai", "slack"]) == {"openai": "sk-own", "slack": None}
    with pytest.raises(VendoOnlyFeature):
        shortcuts.default_client().billing.balance()
    monkeypatch.setenv("VENDO_API_KEY", KEY)
    assert shortcuts.is_vendo_mode()
    url = shortcuts.connect_url("slack", return_to="https://app.example/")
    assert url.startswith("https://vendo.run/connections/connect/slack?")
    assert repr(shortcuts.for_user("jwt")) == "<Vendo https://vendo.run for a user>"


# -- its stand-in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part", ["", "connections", "integrations", "billing", "data", "events", "webhooks"]
)
def test_the_stand_in_is_called_like_the_client(vendo: Vendo, part: str) -> None:
    """A program's tests call it as the program calls the platform."""
    stand_in = MockClient.with_connections([])
    real, mock = (getattr(each, part) if part else each for each in (vendo, stand_in))
    methods = [name for name, _ in inspect.getmembers(type(real), inspect.isfunction)]
    public = {name for name in methods if not name.startswith("_")} - {"leave"}
    assert public - {"protect_writes_with"} <= set(dir(mock))
    for name in public - {"protect_writes_with"}:
        parameters = inspect.signature(getattr(real, name)).parameters.values()
        named = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
        inspect.signature(getattr(mock, name)).bind(**dict.fromkeys(named))
