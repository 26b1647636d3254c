"""A session: the token goes where it belongs, and is renewed when it is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from quatrain.vendo import AsyncVendo, NotConnected

from .._doubles import AsyncLedgerTransport
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
async def session(vendo: AsyncVendo, api: FakeAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with vendo.session("slack", transport=AsyncLedgerTransport(api), base_url=API) as session:
        yield session


async def test_it_authorises(session: httpx.AsyncClient, api: FakeAPI, platform: FakeVendo) -> None:
    """With a token that is asked for when the first request is made."""
    assert platform.requests == []
    assert (await session.get("/one")).status_code == 200
    assert (await session.post("/two", json={})).status_code == 200
    assert api.seen == [(API, "Bearer xoxb-1")] * 2
    assert len(platform.requests) == 1


async def test_a_token_that_is_refused_is_renewed_once(
    session: httpx.AsyncClient, api: FakeAPI, platform: FakeVendo
) -> None:
    """And the request repeated with its body."""
    await session.get("/one")
    api.good = {"Bearer xoxb-2"}
    platform.tokens["slack"] = "xoxb-2"
    answer = await session.post("/two", content=b"body")
    assert (answer.status_code, answer.content) == (200, b"body")
    assert [authorization for _, authorization in api.seen[1:]] == [
        "Bearer xoxb-1",
        "Bearer xoxb-2",
    ]


async def test_a_second_refusal_is_the_answer(
    session: httpx.AsyncClient, api: FakeAPI, platform: FakeVendo
) -> None:
    """There is no third try."""
    api.good = set()
    assert (await session.get("/")).status_code == 401
    assert len(api.requests) == 2
    assert len(platform.requests) == 2


async def test_a_token_that_somebody_else_renewed_is_not_fetched_again(
    vendo: AsyncVendo, api: FakeAPI, platform: FakeVendo
) -> None:
    """What was refused is compared with what is kept, before that is forgotten."""

    class Renewing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not api.requests:  # while the first one is under way
                platform.tokens["slack"] = "xoxb-2"
                api.good = {"Bearer xoxb-2"}
                vendo.invalidate("slack")
                await vendo.token("slack")
            return api.handle(request)

    async with vendo.session("slack", transport=Renewing(), base_url=API) as session:
        assert (await session.get("/")).status_code == 200
    assert [authorization for _, authorization in api.seen] == ["Bearer xoxb-1", "Bearer xoxb-2"]
    assert len(platform.requests) == 2


async def test_the_token_of_another_renewal(
    vendo: AsyncVendo, api: FakeAPI, platform: FakeVendo
) -> None:
    """Two sessions are refused with the same token: one fetches, the other finds it renewed."""
    transport = AsyncLedgerTransport(api)
    async with (
        vendo.session("slack", transport=transport, base_url=API) as one,
        vendo.session("slack", transport=transport, base_url=API) as other,
    ):
        await one.get("/")
        await other.get("/")
        api.good = {"Bearer xoxb-2"}
        platform.tokens["slack"] = "xoxb-2"
        await one.get("/")
        await other.get("/")
    assert len(platform.requests) == 2


async def test_another_origin_never_sees_the_token(
    session: httpx.AsyncClient, api: FakeAPI
) -> None:
    """Other hosts, ports and schemes; what a caller sends there of his own goes through."""
    await session.get("/")
    for other in ("https://evil.example/", "http://api.example/", "https://api.example:8443/"):
        await session.get(other)
    await session.get("https://cdn.example/", headers={"Authorization": "Basic own"})
    assert [authorization for _, authorization in api.seen] == [
        "Bearer xoxb-1",
        None,
        None,
        None,
        "Basic own",
    ]


@pytest.mark.parametrize("target", ["https://evil.example/", "http://api.example/"])
async def test_a_redirect_does_not_take_it_along(
    session: httpx.AsyncClient, api: FakeAPI, platform: FakeVendo, target: str
) -> None:
    """Nor is the token renewed because of what another origin says."""
    api.redirect = target
    answer = await session.get("/", follow_redirects=True)
    assert answer.status_code == 401
    assert [authorization for _, authorization in api.seen] == ["Bearer xoxb-1", None]
    assert len(platform.requests) == 1


async def test_a_redirect_to_https_starts_without(vendo: AsyncVendo, api: FakeAPI) -> None:
    """Httpx would take it along to the same host's https: that is another origin."""
    api.redirect = "https://api.example/"
    transport = AsyncLedgerTransport(api)
    async with vendo.session("slack", transport=transport, follow_redirects=True) as session:
        await session.get("http://api.example/")
    assert [authorization for _, authorization in api.seen] == ["Bearer xoxb-1", None]


async def test_hooks_of_ones_own_are_called(vendo: AsyncVendo, api: FakeAPI) -> None:
    """Beside the session's."""
    seen: list[str] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    hooks: dict[str, list[Any]] = {"request": [note]}
    transport = AsyncLedgerTransport(api)
    async with vendo.session("slack", transport=transport, event_hooks=hooks) as session:
        await session.get(f"{API}/path")
    assert seen == ["/path"]
    assert len(hooks["request"]) == 1


async def test_a_body_that_can_be_read_once_is_not_sent_twice(
    session: httpx.AsyncClient, api: FakeAPI, platform: FakeVendo
) -> None:
    """The refusal is the answer, and the next request has the new token."""

    async def body() -> AsyncIterator[bytes]:
        yield b"part"

    read = api.handle

    class Reading(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            async for _ in request.stream:
                pass
            return read(request)

    session._transport = Reading()
    await session.get("/")
    api.good = {"Bearer xoxb-2"}
    platform.tokens["slack"] = "xoxb-2"
    assert (await session.post("/", content=body())).status_code == 401
    assert (await session.get("/")).status_code == 200


async def test_a_token_from_a_variable_is_not_renewed(
    session: httpx.AsyncClient,
    api: FakeAPI,
    platform: FakeVendo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody has another one."""
    monkeypatch.setenv("VENDO_TOKEN_SLACK", "by-hand")
    assert (await session.get("/")).status_code == 401
    assert [authorization for _, authorization in api.seen] == ["Bearer by-hand"]
    assert platform.requests == []


async def test_no_token(session: httpx.AsyncClient, api: FakeAPI, platform: FakeVendo) -> None:
    """Its error comes out of the request, which is not sent."""
    platform.faults.append(refusal(404, "binding_missing", slug="slack"))
    with pytest.raises(NotConnected):
        await session.get("/")
    assert api.requests == []


async def test_another_scheme(vendo: AsyncVendo, api: FakeAPI, platform: FakeVendo) -> None:
    """Where the platform says that the token is of one; a bearer's is written as everybody does."""
    platform.tokens["slack"] = {"access_token": "t", "token_type": "Bot"}
    platform.tokens["openai"] = {"access_token": "t", "token_type": "bearer"}
    transport: Callable[[], Any] = lambda: AsyncLedgerTransport(api)  # noqa: E731
    for slug in ("slack", "openai"):
        async with vendo.session(slug, transport=transport()) as session:
            await session.get(API)
    schemes = {authorization for _, authorization in api.seen}
    assert schemes == {"Bot t", "Bearer t"}


async def test_it_does_not_show_the_token(vendo: AsyncVendo, api: FakeAPI) -> None:
    """Not in a repr of what httpx holds."""
    async with vendo.session("slack", transport=AsyncLedgerTransport(api)) as session:
        answer = await session.get(API)
        shown = f"{session.auth!r} {answer.request!r} {answer.request.headers!r}"
    assert "xoxb" not in shown
