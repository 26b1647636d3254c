# Generated from tests/_async/test_vendo_answers.py by scripts/make_sync.py. Do not edit.
"""What the client of Vendo makes of answers and errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import quatrain
from quatrain.vendo import (
    AuthError,
    Balance,
    BalanceExhausted,
    IdempotencyConflict,
    NeedsReauth,
    NotConnected,
    RateLimited,
    SpendCapExceeded,
    SpendCaps,
    UpstreamError,
    ValidationError,
    Vendo,
    VendoAPIError,
)

from .._vendo import FakeVendo, refusal

Connect = Callable[..., Vendo]

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
