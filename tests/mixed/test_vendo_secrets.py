"""No key, no token and no user of Vendo's in any traceback, also in one that shows the locals."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import quatrain
from quatrain.vendo import AsyncVendo, Vendo

from ._clients import FLAVOURS
from ._server import Exchange, Server
from .test_secrets import drop, echo, hang, library_part, nonsense, wrong_protocol

KEY = "vendo_sk_do_not_show_me"
JWT = "jwt.of.a.user.do.not.show"
TOKEN = "token-of-a-provider"
CALLS: list[Callable[[Any], Any]] = [
    lambda vendo: vendo.token("openai"),
    lambda vendo: vendo.tokens(["openai", "slack"]),
    lambda vendo: vendo.connections.list(),
    lambda vendo: vendo.billing.balance(),
    lambda vendo: vendo.data.execute("slack.messages.send"),
]

pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)


def use(flavour: str, url: str, call: Callable[[Any], Any]) -> None:
    """Do *call* with a client that is scoped to a user."""
    settings: Any = {
        "base_url": url,
        "credentials_url": url,
        "data_proxy_url": url,
        "timeout": 0.05,
    }
    if flavour == "sync":
        with Vendo(KEY, user_jwt=JWT, max_retries=0, **settings) as client:
            call(client)
        return

    async def main() -> None:
        async with AsyncVendo(KEY, user_jwt=JWT, max_retries=0, **settings) as client:
            result = call(client)
            if inspect.isawaitable(result):
                await result

    anyio.run(main, backend=flavour)


def no_time(exchange: Exchange) -> None:
    exchange.answer(
        {
            "access_token": TOKEN,
            "expires_at": "soon",
            "tokens": {"openai": {"access_token": TOKEN, "expires_at": "soon"}},
            "connections": [{"slug": 7, "credential": {"access_token": TOKEN}}],
            "credits_remaining_micros": TOKEN,
            "error": TOKEN,
        }
    )


@pytest.mark.parametrize("handler", [drop, echo, hang, nonsense, wrong_protocol, no_time])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails(
    flavour: str, call: Callable[[Any], Any], handler: Callable[[Exchange], None]
) -> None:
    """Whatever it is that fails."""
    with Server(handler) as server, pytest.raises(quatrain.QuatrainError) as caught:
        use(flavour, server.url, call)
    text = library_part(caught.value)
    assert KEY not in text
    assert JWT not in text


@pytest.mark.parametrize("call", CALLS[:4])
def test_an_answer_that_can_not_be_read(flavour: str, call: Callable[[Any], Any]) -> None:
    """It is not shown: what can't be read is a credential."""
    with Server(no_time) as server, pytest.raises(quatrain.APIError, match="unexpected") as caught:
        use(flavour, server.url, call)
    assert TOKEN not in library_part(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"slug": "openai\ud800"},
        {"return_to": "https://a.example/" + "x" * 70_000},
        {"return_to": ""},
        {"state": "\ud800"},
    ],
)
def test_a_page_that_has_no_url(flavour: str, settings: dict[str, str]) -> None:
    """The URL would hold the key."""
    given = {"slug": "openai", "return_to": "https://a.example/", **settings}
    with pytest.raises(quatrain.InputError) as caught:
        use(flavour, "http://localhost:1", lambda vendo: vendo.connect_url(**given))
    assert KEY not in library_part(caught.value)


def test_a_user_that_can_not_be(flavour: str) -> None:
    """Wherever it comes from."""
    make = Vendo if flavour == "sync" else AsyncVendo
    bad = f"{JWT}\n"
    client = make(KEY)
    refused: list[Callable[[], object]] = [
        lambda: make(KEY, user_jwt=bad),
        lambda: client.for_user(bad),
        lambda: client.for_request({"x-vendo-user-jwt": f"two {JWT}"}),
        lambda: client.for_request({"cookie": JWT}),
        lambda: make("").for_user(bad),
    ]
    for attempt in refused:
        with pytest.raises(quatrain.QuatrainError) as caught:
            attempt()
        assert JWT not in library_part(caught.value)


def test_a_clients_repr_and_its_parts(flavour: str) -> None:
    """Nothing that is reachable shows them, but for the header that is sent."""
    make = Vendo if flavour == "sync" else AsyncVendo
    client = make(KEY).for_user(JWT)
    parts: list[Any] = [client, vars(client), vars(client._api), vars(client._tokens)]
    parts += [vars(transport) for transport in make(KEY)._transports]
    assert KEY not in repr(parts)
    assert JWT not in repr(parts)
