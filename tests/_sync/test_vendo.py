# Generated from tests/_async/test_vendo.py by scripts/make_sync.py. Do not edit.
"""The client of Vendo: its two modes, what it sends, what it makes of answers and errors."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import quatrain
from quatrain._sync import shortcuts
from quatrain.vendo import (
    AuthError,
    Balance,
    BalanceExhausted,
    IdempotencyConflict,
    IdentityNotPresent,
    NeedsReauth,
    NotConnected,
    RateLimited,
    SpendCapExceeded,
    SpendCaps,
    UpstreamError,
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
from .._vendo import CREDENTIALS, KEY, ORIGIN, PROXY, FakeVendo, refusal

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


# -- what comes back ------------------------------------------------------------------------------


def test_connections(vendo: Vendo, platform: FakeVendo) -> None:
    """All of a connection's fields; what is unknown stays reachable, credentials are not shown."""
    item = {
        "id": "con_1",
        "slug": "slack",
        "display_name": "Slack",
        "category": "messaging",
        "profile": "user_oauth",
        "status": "a_status_to_come",
        "metadata": {"team": "T1"},
        "credential": {"access_token": "xoxb-secret"},
        "api_key": "key-secret",
        "env_bootstrap": {
            "vars": [{"name": "SLACK_BOT_TOKEN", "value_from": "credential.access_token"}],
            "restart": "gateway",
        },
        "colour_of_the_day": "red",
    }
    platform.data["deployments/me/connections"] = {"connections": [item]}
    (found,) = vendo.connections.list()
    assert (found.slug, found.status, found.metadata) == (
        "slack",
        "a_status_to_come",
        {"team": "T1"},
    )
    assert found.env_bootstrap is not None
    assert [each.name for each in found.env_bootstrap.vars] == ["SLACK_BOT_TOKEN"]
    assert found.raw["colour_of_the_day"] == "red"
    assert "secret" not in repr(found)
    assert vendo.connections.get("slack") == found
    assert vendo.connections.get("gmail") is None


def test_integrations(vendo: Vendo, platform: FakeVendo) -> None:
    """Some call themselves a provider; the default profile is supported."""
    platform.data["integrations"] = {
        "integrations": [
            {"slug": "openai", "name": "OpenAI", "default_profile": "byok_static"},
            {"provider": "slack", "supported_profiles": ["user_oauth", "byok_static"]},
        ]
    }
    openai, slack = vendo.integrations.list()
    assert (openai.slug, openai.supported_profiles) == ("openai", ["byok_static"])
    assert (slack.slug, slack.supported_profiles) == ("slack", ["user_oauth", "byok_static"])


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_integration(vendo: Vendo, platform: FakeVendo, wrapped: bool) -> None:
    """Wrapped or not; None for one that there is not."""
    item = {"provider": "openai", "default_profile": "byok_static"}
    platform.data["integrations/openai"] = {"integration": item} if wrapped else item
    found = vendo.integrations.get("openai")
    assert found is not None
    assert (found.slug, found.supported_profiles) == ("openai", ["byok_static"])
    platform.faults.append(refusal(404, "not_found"))
    assert vendo.integrations.get("nothing") is None


def test_an_integration_nobody_may_ask_for(vendo: Vendo, platform: FakeVendo) -> None:
    """A 404 that says that the app is unknown is no answer about the integration."""
    platform.faults.append(refusal(404, "app_unknown"))
    with pytest.raises(AuthError):
        vendo.integrations.get("openai")


def test_the_catalogue(vendo: Vendo, platform: FakeVendo) -> None:
    """Is bundled: no request, and nothing for what it does not know."""
    assert vendo.integrations.env_vars("slack") == ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"]
    assert vendo.integrations.env_vars("nothing") == []
    assert platform.requests == []


def test_billing(vendo: Vendo, platform: FakeVendo) -> None:
    """Amounts in micros; what is not said is nothing, and no cap."""
    platform.data |= {
        "billing/balance": {"credits_remaining_micros": 5, "currency": "EUR"},
        "billing/spend-caps": {"daily_micros": 7, "used_today_micros": 3, "monthly_micros": None},
        "billing/usage": {"total_micros": 3},
    }
    assert vendo.billing.balance() == Balance(5, "EUR")
    assert vendo.billing.spend_caps() == SpendCaps(7, None, 3, 0)
    assert vendo.billing.usage() == {"total_micros": 3}
    assert platform.requests[-1].url.params["period"] == "month"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"data": {"id": 1}}, {"id": 1}),
        ({"data": None}, None),
        ({"id": 1}, {"id": 1}),
        ([1, 2], [1, 2]),
        ({"data": 1, "error": None}, 1),
    ],
)
def test_what_an_action_answers(
    vendo: Vendo, platform: FakeVendo, answer: Any, expected: Any
) -> None:
    """Its data, or the body itself when it has none."""
    platform.executed = answer
    assert vendo.data.execute("echo") == expected


def test_an_action_that_failed_with_a_success(vendo: Vendo, platform: FakeVendo) -> None:
    """Is a failure: the proxy says so in the body."""
    platform.executed = {"data": {}, "error": "the channel is archived"}
    with pytest.raises(UpstreamError, match="the channel is archived") as caught:
        vendo.data.execute("slack.messages.send")
    assert caught.value.code == "composio_error"


@pytest.mark.parametrize(
    "answer", [[], {"connections": {}}, {"connections": [{"slug": 7}]}, {"connections": ["x"]}]
)
def test_an_answer_of_another_shape(vendo: Vendo, platform: FakeVendo, answer: Any) -> None:
    """Is a typed error, which holds none of what may be credentials."""
    platform.data["deployments/me/connections"] = answer
    with pytest.raises(VendoAPIError, match="unexpected answer") as caught:
        vendo.connections.list()
    assert caught.value.body is None


# -- errors ---------------------------------------------------------------------------------------

CODES = [
    ("app_unknown", AuthError),
    ("app_revoked", AuthError),
    ("app_expired", AuthError),
    ("binding_missing", NotConnected),
    ("connection_revoked", NotConnected),
    ("connection_needs_reauth", NeedsReauth),
    ("balance_exhausted", BalanceExhausted),
    ("spend_cap_daily", SpendCapExceeded),
    ("spend_cap_monthly", SpendCapExceeded),
    ("upstream_rate_limited", RateLimited),
    ("upstream_error", UpstreamError),
    ("composio_error", UpstreamError),
    ("validation_failed", ValidationError),
    ("idempotency_conflict", IdempotencyConflict),
    ("internal_error", VendoAPIError),
    ("a_code_to_come", VendoAPIError),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_a_code_says_what_it_is(
    vendo: Vendo, platform: FakeVendo, code: str, kind: type[VendoAPIError]
) -> None:
    """With everything that the platform says of it, and it survives a pickle."""
    fields = {"slug": "slack", "connect_url": "https://c.example", "suggested_fix": "connect it"}
    platform.faults.append(refusal(418, code, retry_after=9, **fields))
    with pytest.raises(kind) as caught:
        vendo.billing.balance()
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert (type(error), error.code, error.status) == (kind, code, 418)
        assert {name: getattr(error, name) for name in fields} == fields
        assert error.message == f"it is {code}"
        assert error.retry_after == 9


def test_the_header_goes_before_the_body(vendo: Vendo, platform: FakeVendo) -> None:
    """Where both name a code."""
    answer = httpx.Response(
        400,
        json={"error": {"code": "internal_error", "message": "m"}},
        headers={"Vendo-Error-Code": "connection_needs_reauth"},
    )
    platform.faults.append(answer)
    with pytest.raises(NeedsReauth):
        vendo.billing.balance()


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"message": "m"}}, "internal_error", "m"),
        ({"message": "m"}, "internal_error", "m"),
        ({"error": "m", "detail": "d"}, "internal_error", "m"),
        ({"message": "m", "code": "upstream_error"}, "upstream_error", "m"),
        ({"error": {"code": 7, "message": ["m"]}}, "internal_error", "HTTP 400"),
        ({"error": {"slug": 7, "retry_after": "soon"}}, "internal_error", "HTTP 400"),
        ({}, "internal_error", "HTTP 400"),
        ([], "internal_error", "HTTP 400"),
        (None, "internal_error", "HTTP 400"),
    ],
)
def test_every_shape_of_an_error(
    vendo: Vendo, platform: FakeVendo, body: Any, code: str, message: str
) -> None:
    """Those that were seen on the wire, and those that nobody has seen yet."""
    platform.faults.append(httpx.Response(400, json=body))
    with pytest.raises(VendoAPIError) as caught:
        vendo.billing.balance()
    assert (caught.value.code, caught.value.message) == (code, message)
    assert caught.value.slug is None


def test_a_page_of_a_gateway(vendo: Vendo, platform: FakeVendo) -> None:
    """Is a typed error with the status and the first of its text."""
    platform.faults += [httpx.Response(502, html="<h1>Bad Gateway</h1>") for _ in range(3)]
    with pytest.raises(VendoAPIError, match="Bad Gateway") as caught:
        vendo.billing.balance()
    assert isinstance(caught.value, quatrain.ServerError)
    assert (caught.value.status, caught.value.code) == (502, "internal_error")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthError), (429, RateLimited), (404, quatrain.NotFoundError), (400, VendoAPIError)],
)
def test_a_status_without_a_code(
    connect_vendo: Connect, platform: FakeVendo, status: int, kind: type[Exception]
) -> None:
    """Says what it is as far as it can."""
    platform.faults.append(httpx.Response(status))
    with pytest.raises(kind) as caught:
        connect_vendo(max_retries=0).billing.balance()
    assert isinstance(caught.value, VendoAPIError)


@pytest.mark.parametrize(
    ("status", "tries"),
    [(500, 3), (502, 3), (503, 3), (504, 3), (408, 1), (409, 1), (429, 1), (501, 1), (505, 1)],
)
def test_what_is_tried_again(vendo: Vendo, platform: FakeVendo, status: int, tries: int) -> None:
    """What the contract names, and nothing else: a rate limit is the caller's to wait for."""
    platform.faults += [status] * 3
    with pytest.raises(VendoAPIError) as caught:
        vendo.data.execute("slack.messages.send")
    assert (caught.value.status, len(platform.requests)) == (status, tries)


def test_a_rate_limit_says_how_long(connect_vendo: Connect, platform: FakeVendo) -> None:
    """In its header, or in the body."""
    platform.faults += [
        httpx.Response(429, headers={"Retry-After": "120"}),
        refusal(429, "upstream_rate_limited", retry_after=90),
    ]
    vendo = connect_vendo()
    for expected in (120, 90):
        with pytest.raises(RateLimited) as caught:
            vendo.billing.balance()
        assert caught.value.retry_after == expected


@pytest.mark.parametrize(
    ("status", "body", "kind", "slug"),
    [
        (403, {"error": "binding_missing", "toolkit": "gmail"}, NotConnected, "gmail"),
        (400, {"error": "no such action"}, UpstreamError, None),
        (403, {"error": "forbidden"}, UpstreamError, None),
        (402, {"error": {"code": "balance_exhausted", "message": "m"}}, BalanceExhausted, None),
    ],
)
def test_the_shapes_of_the_data_proxy(
    vendo: Vendo,
    platform: FakeVendo,
    status: int,
    body: Any,
    kind: type[VendoAPIError],
    slug: str | None,
) -> None:
    """It has some of its own."""
    platform.faults.append(httpx.Response(status, json=body))
    with pytest.raises(kind) as caught:
        vendo.data.execute("gmail.send")
    assert caught.value.slug == slug


def test_the_same_shape_from_the_platform_is_no_missing_binding(
    vendo: Vendo, platform: FakeVendo
) -> None:
    """It is the data proxy alone that words it so."""
    platform.faults.append(
        httpx.Response(403, json={"error": "binding_missing", "toolkit": "gmail"})
    )
    with pytest.raises(quatrain.PermissionDeniedError) as caught:
        vendo.billing.balance()
    assert not isinstance(caught.value, NotConnected)


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
