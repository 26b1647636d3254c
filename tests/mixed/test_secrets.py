"""No key and no lease token in any traceback, also in one that shows the locals."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

import quatrain
from quatrain._async.velerian import AsyncVelerianClient
from quatrain._sync.velerian import VelerianClient
from quatrain.velocity import AsyncVelocityOS, VelocityOS, WebhookHandler, delivery, sign
from quatrain.verity import (
    AsyncVerityClient,
    CommitRequestBody,
    VerityClient,
    VerityTransportError,
)

from ._clients import FLAVOURS, KEY, lease, use
from ._server import GRANT, Exchange, Server, answer_well

TOKEN = "lease-token-1"
WEBHOOK_SECRET = "whsec-of-a-test"
pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)


def shown(exc: BaseException) -> str:
    """All that a traceback with locals shows, causes and contexts included."""
    return "".join(traceback.TracebackException.from_exception(exc, capture_locals=True).format())


def library_part(exc: BaseException) -> str:
    """The same without the frames of this test, which hold what the caller passed in."""
    text: list[str] = []
    pending: list[BaseException | None] = [exc]
    while pending:
        current = pending.pop()
        if current is None:
            continue
        frames = [
            frame
            for frame, _ in traceback.walk_tb(current.__traceback__)
            if "/tests/" not in frame.f_code.co_filename
        ]
        text += [f"{frame.f_code.co_qualname}: {frame.f_locals!r}" for frame in frames]
        text.append(repr(current))
        hidden = current.__suppress_context__
        pending += [current.__cause__, None if hidden else current.__context__]
    return "\n".join(text)


def drop(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
    exchange.writer.close()


def echo(exchange: Exchange) -> None:
    exchange.answer({"message": f"bad key {exchange.headers['authorization']}"}, status=401)


def nonsense(exchange: Exchange) -> None:
    exchange.answer(b"\x00" + exchange.headers["authorization"].encode())


def wrong_protocol(exchange: Exchange) -> None:
    exchange.raw(b"220 mail ready\r\n")


def hang(exchange: Exchange) -> None:
    pass


@pytest.mark.parametrize("handler", [drop, echo, nonsense, wrong_protocol, hang])
def test_a_request_that_fails(flavour: str, handler: Callable[[Exchange], None]) -> None:
    """Half-way, refused with the key in the answer, not understood, or never answered."""
    with Server(handler) as server, pytest.raises(quatrain.QuatrainError) as caught:
        use(flavour, server.url, lease(), timeout=0.05)
    assert KEY not in library_part(caught.value)


def test_a_server_that_is_not_there(flavour: str) -> None:
    """The transport's own exception is the cause, and shows no header."""
    with Server(answer_well) as server:
        url = server.url
    with pytest.raises(quatrain.TransportError) as caught:
        use(flavour, url, lease())
    text = library_part(caught.value)
    assert KEY not in text
    assert "ConnectError" in text


def test_through_a_callers_http_client(flavour: str) -> None:
    """The frames of httpx are dropped too."""
    with Server(answer_well) as server:
        url = server.url

    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            client = AsyncVerityClient(base_url=url, api_key=KEY, http_client=http)
            await client.request_lease("ns", {"effectKey": "k"})

    with pytest.raises(quatrain.TransportError) as caught:  # noqa: PT012 - one of two
        if flavour == "sync":
            with httpx.Client(trust_env=False, verify=False) as http:
                client = VerityClient(base_url=url, api_key=KEY, http_client=http)
                client.request_lease("ns", {"effectKey": "k"})
        else:
            anyio.run(main, backend=flavour)
    assert KEY not in library_part(caught.value)


@pytest.mark.parametrize("handler", [drop, echo, hang])
def test_a_commit_that_fails_shows_no_lease_token(
    flavour: str, handler: Callable[[Exchange], None]
) -> None:
    """In protect, whose caller has never seen one."""

    def grant_then(exchange: Exchange) -> None:
        if exchange.target.endswith("/lease"):
            exchange.answer(GRANT)
        else:
            handler(exchange)

    with Server(grant_then) as server, pytest.raises(quatrain.CommitUncertainError) as caught:
        use(flavour, server.url, ("protect", {"effect_key": "k", "act": int}), timeout=0.05)
    text = library_part(caught.value)
    assert TOKEN not in text
    assert KEY not in text
    assert "commit" in text


def test_a_body_that_is_no_json_shows_no_lease_token(flavour: str) -> None:
    """Refused before any request."""
    body = CommitRequestBody(effect_key="k", fence_token=1, lease_token=TOKEN, result=object())
    with Server(answer_well) as server, pytest.raises(quatrain.InputError) as caught:
        use(flavour, server.url, ("commit", {"namespace": "ns", "body": body}))
    assert TOKEN not in library_part(caught.value)


def test_a_config_error(flavour: str) -> None:
    """Its frames held the key for a moment."""
    make = VerityClient if flavour == "sync" else AsyncVerityClient
    for settings in ({"base_url": "http://ledger.example"}, {"timeout": 0}, {"base_url": ""}):
        with pytest.raises(quatrain.ConfigError) as caught:
            make(api_key=KEY, **{"base_url": "https://ledger.example"} | settings)
        assert KEY not in library_part(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://velocity"},
        {"api_key": 7},
        {"api_key": "two\nlines"},
        {"webhook_secret": [WEBHOOK_SECRET, 7]},
    ],
)
def test_a_config_error_of_velocity(flavour: str, settings: dict[str, Any]) -> None:
    """It has two secrets: neither is shown, whichever setting is wrong."""
    make = VelocityOS if flavour == "sync" else AsyncVelocityOS
    with pytest.raises(quatrain.ConfigError) as caught:
        make(**{"api_key": KEY, "webhook_secret": WEBHOOK_SECRET, **settings})
    assert KEY not in library_part(caught.value)
    assert WEBHOOK_SECRET not in library_part(caught.value)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: WebhookHandler([WEBHOOK_SECRET, ""]),
        lambda: sign(WEBHOOK_SECRET, "text"),
        lambda: delivery(WEBHOOK_SECRET, "no\nheader", {}),
        lambda: delivery(WEBHOOK_SECRET, "tasks.created", object()),
    ],
)
def test_a_webhook_secret(flavour: str, refused: Callable[[], object]) -> None:
    """Whatever is refused, the secret is not shown beside it."""
    with pytest.raises(quatrain.QuatrainError) as caught:
        refused()
    assert WEBHOOK_SECRET not in library_part(caught.value)


def test_a_clients_repr_and_its_parts(flavour: str) -> None:
    """Nothing that is reachable shows it."""
    make = VerityClient if flavour == "sync" else AsyncVerityClient
    client = make(base_url="https://ledger.example", api_key=KEY)
    parts: list[Any] = [client, vars(client), vars(client._ledger), vars(client._ledger.transport)]
    assert KEY not in repr(parts)


def test_velerians_client_and_its_parts(flavour: str) -> None:
    """Nor its config errors, whose frames held the key for a moment."""
    make = VelerianClient if flavour == "sync" else AsyncVelerianClient
    client = make(api_key=KEY)
    parts: list[Any] = [client, vars(client), vars(client._api), vars(client._api.transport)]
    assert KEY not in repr(parts)
    for settings in ({"base_url": "http://velerian.example"}, {"timeout": 0}, {"base_url": "x"}):
        with pytest.raises(quatrain.ConfigError) as caught:
            make(api_key=KEY, **settings)  # type: ignore[arg-type]
        assert KEY not in library_part(caught.value)


def post(flavour: str, base_url: str, path: str, **settings: Any) -> httpx.Response:
    """One request in a caller's own words."""
    settings |= {"timeout": 0.05, "max_retries": 0}
    if flavour == "sync":
        with VelerianClient(api_key=KEY, base_url=base_url) as velerian:
            return velerian.post(path, **settings)

    async def main() -> httpx.Response:
        async with AsyncVelerianClient(api_key=KEY, base_url=base_url) as velerian:
            return await velerian.post(path, **settings)

    return anyio.run(main, backend=flavour)


def test_the_answer_to_a_request_of_ones_own(flavour: str) -> None:
    """It is httpx's, and its request holds no key."""
    with Server(lambda exchange: exchange.answer({})) as server:
        response = post(flavour, server.url, "plans")
    assert server.exchanges[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr([vars(response), vars(response.request), response.request.headers.raw])


@pytest.mark.parametrize("handler", [drop, echo, wrong_protocol, hang])
def test_a_request_of_ones_own_that_fails(
    flavour: str, handler: Callable[[Exchange], None]
) -> None:
    """As any other."""
    with Server(handler) as server, pytest.raises(quatrain.QuatrainError) as caught:
        post(flavour, server.url, "plans")
    assert KEY not in library_part(caught.value)


@pytest.mark.parametrize("handler", [drop, wrong_protocol, hang])
def test_a_request_to_another_place(flavour: str, handler: Callable[[Exchange], None]) -> None:
    """What the caller has for it is kept where the caller passed it in."""
    headers = {"authorization": "Basic do-not-show-me"}
    with Server(handler) as server, pytest.raises(quatrain.QuatrainError) as caught:
        post(flavour, "https://velerian.example", f"{server.url}/x", headers=headers)
    below = [
        frame.f_locals
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        if frame.f_code.co_filename.endswith(("governance.py", "transport.py", "lanes.py"))
    ]
    assert len(below) >= 2
    assert "do-not-show-me" not in repr(below)
    assert KEY not in library_part(caught.value)
    assert server.exchanges[0].headers["authorization"] == "Basic do-not-show-me"


def test_an_interrupted_request(flavour: str) -> None:
    """Ctrl-C while it waits: the frames below are dropped as well."""

    class Interrupting(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            headers = list(request.headers.raw)
            raise KeyboardInterrupt(len(headers))

    class AsyncInterrupting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            headers = list(request.headers.raw)
            raise KeyboardInterrupt(len(headers))

    async def main() -> None:
        async with httpx.AsyncClient(transport=AsyncInterrupting()) as http:
            client = AsyncVerityClient(base_url="https://l.example", api_key=KEY, http_client=http)
            await client.request_lease("ns", {"effectKey": "k"})

    with pytest.raises(KeyboardInterrupt) as caught:  # noqa: PT012 - one of two
        if flavour == "sync":
            with httpx.Client(transport=Interrupting()) as http:
                client = VerityClient(base_url="https://l.example", api_key=KEY, http_client=http)
                client.request_lease("ns", {"effectKey": "k"})
        else:
            anyio.run(main, backend=flavour)
    assert KEY not in shown(caught.value).replace(f"KEY = '{KEY}'", "")


def test_a_transport_that_fails_with_the_headers_at_hand(flavour: str) -> None:
    """Its exception is the cause, without its frames; so is what that came of."""

    def fail(request: httpx.Request) -> httpx.Response:
        headers = list(request.headers.raw)
        try:
            raise OSError(len(headers))
        except OSError as exc:
            raise httpx.ReadError("cut off") from exc

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http:
            client = AsyncVerityClient(base_url="https://l.example", api_key=KEY, http_client=http)
            await client.request_lease("ns", {"effectKey": "k"})

    with pytest.raises(quatrain.TransportError) as caught:  # noqa: PT012 - one of two
        if flavour == "sync":
            with httpx.Client(transport=httpx.MockTransport(fail)) as http:
                client = VerityClient(base_url="https://l.example", api_key=KEY, http_client=http)
                client.request_lease("ns", {"effectKey": "k"})
        else:
            anyio.run(main, backend=flavour)
    cause = caught.value.__cause__
    assert isinstance(cause, httpx.ReadError)
    assert isinstance(cause.__cause__, OSError)
    kept = [f for e in (cause, cause.__cause__) for f, _ in traceback.walk_tb(e.__traceback__)]
    assert kept == []


def test_a_bug_in_a_callers_http_client_can_be_found(flavour: str) -> None:
    """It is the cause; where it was raised goes along as text, without the locals."""

    def broken(request: httpx.Request) -> httpx.Response:
        headers = list(request.headers.raw)
        raise RuntimeError(len(headers))

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(broken)) as http:
            client = AsyncVerityClient(base_url="https://l.example", api_key=KEY, http_client=http)
            await client.request_lease("ns", {"effectKey": "k"})

    with pytest.raises(VerityTransportError) as caught:  # noqa: PT012 - one of two
        if flavour == "sync":
            with httpx.Client(transport=httpx.MockTransport(broken)) as http:
                client = VerityClient(base_url="https://l.example", api_key=KEY, http_client=http)
                client.request_lease("ns", {"effectKey": "k"})
        else:
            anyio.run(main, backend=flavour)
    cause = caught.value.__cause__
    assert isinstance(cause, RuntimeError)
    (note,) = cause.__notes__
    assert "in broken\n    raise RuntimeError(len(headers))" in note
    assert KEY not in note + library_part(caught.value)


def test_what_the_caller_was_handling_keeps_its_locals(flavour: str) -> None:
    """They are the caller's, for a debugger to look at."""

    def break_down() -> None:
        order_id = "order-48392"
        raise ValueError(len(order_id))

    with Server(answer_well) as server:
        url = server.url
    with pytest.raises(quatrain.TransportError) as caught:  # noqa: PT012 - one within the other
        try:
            break_down()
        except ValueError:
            use(flavour, url, lease())
    context = caught.value
    while not isinstance(context, ValueError):
        assert context.__context__ is not None
        context = context.__context__
    assert "order-48392" in shown(context)


def test_the_tests_themselves_would_notice(flavour: str) -> None:
    """A frame that does hold the key is seen by what they look with."""
    code = "def fail(key):\n raise ValueError\n"
    space: dict[str, Any] = {}
    exec(compile(code, "elsewhere.py", "exec"), space)
    with pytest.raises(ValueError) as caught:
        space["fail"](KEY)
    assert KEY in library_part(caught.value)
