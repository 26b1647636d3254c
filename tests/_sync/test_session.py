# Generated from tests/_async/test_session.py by scripts/make_sync.py. Do not edit.
"""A session: the token goes where it belongs, and is renewed when it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quatrain.vendo import NotConnected, Vendo

from .._doubles import LedgerTransport
from .._vendo import FakeVendo, refusal

API = "https://api.example"


class FakeAPI:
    """An integration's own API, and others: it knows which tokens are good."""

    def __init__(self) -> None:
        self.good = {"Bearer xoxb-1"}
        self.requests: list[httpx.Request] = []
        self.seen: list[tuple[str, str | None]] = []
        """Origin and Authorization of each: a request that is repeated is the same object."""
        self.bodies: list[bytes] = []
        self.redirect: str | None = None

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        origin = f"{request.url.scheme}://{request.url.host}"
        self.seen.append((origin, request.headers.get("Authorization")))
        # a redirected request's can be read by the transport alone
        self.bodies.append(getattr(request, "_content", b""))
        if self.redirect is not None:
            target, self.redirect = self.redirect, None
            return httpx.Response(307, headers={"Location": target})
        good = request.headers.get("Authorization") in self.good
        return httpx.Response(200 if good else 401, content=self.bodies[-1])


@pytest.fixture
def api() -> FakeAPI:
    return FakeAPI()


@pytest.fixture
def session(vendo: Vendo, api: FakeAPI) -> Iterator[httpx.Client]:
    with vendo.session("slack", transport=LedgerTransport(api), base_url=API) as session:
        yield session


def test_it_authorises(session: httpx.Client, api: FakeAPI, platform: FakeVendo) -> None:
    """With a token that is asked for when the first request is made."""
    assert platform.requests == []
    assert session.get("/one").status_code == 200
    assert session.post("/two", json={}).status_code == 200
    assert api.seen == [(API, "Bearer xoxb-1")] * 2
    assert len(platform.requests) == 1


def test_a_token_that_is_refused_is_renewed_once(
    session: httpx.Client, api: FakeAPI, platform: FakeVendo
) -> None:
    """And the request repeated with its body."""
    session.get("/one")
    api.good = {"Bearer xoxb-2"}
    platform.tokens["slack"] = "xoxb-2"
    answer = session.post("/two", content=b"body")
    assert (answer.status_code, answer.content) == (200, b"body")
    assert [authorization for _, authorization in api.seen[1:]] == [
        "Bearer xoxb-1",
        "Bearer xoxb-2",
    ]


def test_a_second_refusal_is_the_answer(
    session: httpx.Client, api: FakeAPI, platform: FakeVendo
) -> None:
    """There is no third try."""
    api.good = set()
    assert session.get("/").status_code == 401
    assert len(api.requests) == 2
    assert len(platform.requests) == 2


def test_a_token_that_somebody_else_renewed_is_not_fetched_again(
    vendo: Vendo, api: FakeAPI, platform: FakeVendo
) -> None:
    """What was refused is compared with what is kept, before that is forgotten."""

    class Renewing(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if not api.requests:  # while the first one is under way
                platform.tokens["slack"] = "xoxb-2"
                api.good = {"Bearer xoxb-2"}
                vendo.invalidate("slack")
                vendo.token("slack")
            return api.handle(request)

    with vendo.session("slack", transport=Renewing(), base_url=API) as session:
        assert session.get("/").status_code == 200
    assert [authorization for _, authorization in api.seen] == ["Bearer xoxb-1", "Bearer xoxb-2"]
    assert len(platform.requests) == 2


def test_the_token_of_another_renewal(vendo: Vendo, api: FakeAPI, platform: FakeVendo) -> None:
    """Two sessions are refused with the same token: one fetches, the other finds it renewed."""
    transport = LedgerTransport(api)
    with (
        vendo.session("slack", transport=transport, base_url=API) as one,
        vendo.session("slack", transport=transport, base_url=API) as other,
    ):
        one.get("/")
        other.get("/")
        api.good = {"Bearer xoxb-2"}
        platform.tokens["slack"] = "xoxb-2"
        one.get("/")
        other.get("/")
    assert len(platform.requests) == 2


def test_another_origin_never_sees_the_token(session: httpx.Client, api: FakeAPI) -> None:
    """Other hosts, ports and schemes; what a caller sends there of his own goes through."""
    session.get("/")
    for other in ("https://evil.example/", "http://api.example/", "https://api.example:8443/"):
        session.get(other)
    session.get("https://cdn.example/", headers={"Authorization": "Basic own"})
    assert [authorization for _, authorization in api.seen] == [
        "Bearer xoxb-1",
        None,
        None,
        None,
        "Basic own",
    ]


@pytest.mark.parametrize("target", ["https://evil.example/", "http://api.example/"])
def test_a_redirect_does_not_take_it_along(
    session: httpx.Client, api: FakeAPI, platform: FakeVendo, target: str
) -> None:
    """Nor is the token renewed because of what another origin says."""
    api.redirect = target
    answer = session.get("/", follow_redirects=True)
    assert answer.status_code == 401
    assert [authorization for _, authorization in api.seen] == ["Bearer xoxb-1", None]
    assert len(platform.requests) == 1


def test_a_redirect_to_https_starts_without(vendo: Vendo, api: FakeAPI) -> None:
    """Httpx would take it along to the same host's https: that is another origin."""
    api.redirect = "https://api.example/"
    transport = LedgerTransport(api)
    with vendo.session("slack", transport=transport, follow_redirects=True) as session:
        session.get("http://api.example/")
    assert [authorization for _, authorization in api.seen] == ["Bearer xoxb-1", None]


def test_hooks_of_ones_own_are_called(vendo: Vendo, api: FakeAPI) -> None:
    """Beside the session's."""
    seen: list[str] = []

    def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    hooks: dict[str, list[Any]] = {"request": [note]}
    transport = LedgerTransport(api)
    with vendo.session("slack", transport=transport, event_hooks=hooks) as session:
        session.get(f"{API}/path")
    assert seen == ["/path"]
    assert len(hooks["request"]) == 1


def test_a_body_that_can_be_read_once_is_not_sent_twice(
    session: httpx.Client, api: FakeAPI, platform: FakeVendo
) -> None:
    """The refusal is the answer, and the next request has the new token."""

    def body() -> Iterator[bytes]:
        yield b"part"

    read = api.handle

    class Reading(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            for _ in request.stream:
                pass
            return read(request)

    session._transport = Reading()
    session.get("/")
    api.good = {"Bearer xoxb-2"}
    platform.tokens["slack"] = "xoxb-2"
    assert session.post("/", content=body()).status_code == 401
    assert session.get("/").status_code == 200


def test_a_token_from_a_variable_is_not_renewed(
    session: httpx.Client,
    api: FakeAPI,
    platform: FakeVendo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody has another one."""
    monkeypatch.setenv("VENDO_TOKEN_SLACK", "by-hand")
    assert session.get("/").status_code == 401
    assert [authorization for _, authorization in api.seen] == ["Bearer by-hand"]
    assert platform.requests == []


def test_no_token(session: httpx.Client, api: FakeAPI, platform: FakeVendo) -> None:
    """Its error comes out of the request, which is not sent."""
    platform.faults.append(refusal(404, "binding_missing", slug="slack"))
    with pytest.raises(NotConnected):
        session.get("/")
    assert api.requests == []


def test_another_scheme(vendo: Vendo, api: FakeAPI, platform: FakeVendo) -> None:
    """Where the platform says that the token is of one; a bearer's is written as everybody does."""
    platform.tokens["slack"] = {"access_token": "t", "token_type": "Bot"}
    platform.tokens["openai"] = {"access_token": "t", "token_type": "bearer"}
    transport: Callable[[], Any] = lambda: LedgerTransport(api)  # noqa: E731
    for slug in ("slack", "openai"):
        with vendo.session(slug, transport=transport()) as session:
            session.get(API)
    schemes = {authorization for _, authorization in api.seen}
    assert schemes == {"Bot t", "Bearer t"}


def test_it_does_not_show_the_token(vendo: Vendo, api: FakeAPI) -> None:
    """Not in a repr of what httpx holds."""
    with vendo.session("slack", transport=LedgerTransport(api)) as session:
        answer = session.get(API)
        shown = f"{session.auth!r} {answer.request!r} {answer.request.headers!r}"
    assert "xoxb" not in shown
