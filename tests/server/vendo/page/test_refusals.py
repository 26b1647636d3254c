"""What the page does not do, and says so: each refusal is a page, and never a redirect."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from ..._support import ServerClock
from ._visitor import BACK, ORIGIN, Visitor, answer_in, rows

KEY = "sk-proj-0123456789abcdef"
GRANTS = "SELECT state FROM vendo_grants"
CONNECTIONS = "SELECT slug FROM vendo_connections"
HOSTILE = '"><script>alert(1)</script>'


def said(response: httpx.Response) -> tuple[int, str]:
    """The status, and the heading of the page that refuses; with what holds for all of them."""
    assert "location" not in response.headers
    assert "set-cookie" not in response.headers
    assert "text/html; charset=utf-8" == response.headers["content-type"]
    assert "<script" not in response.text
    assert "<form" not in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    heading = re.search(r"<h1>(.*?)</h1>", response.text, re.DOTALL)
    assert heading is not None
    return response.status_code, heading[1]


# -- the link that an app sends somebody with -----------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "status", "title"),
    [
        ({"app_key": ""}, 401, "Open this page from an app"),
        ({"app_key": "vendo_sk_unknown"}, 401, "This app is not known here"),
        ({"app_key": HOSTILE}, 401, "This app is not known here"),
        ({"app_key": "\u2603\0"}, 401, "This app is not known here"),
        ({"slug": "nowhere"}, 404, "There is no such integration"),
        ({"slug": HOSTILE}, 404, "There is no such integration"),
        ({"slug": "OpenAI"}, 404, "There is no such integration"),
        ({"return_to": ""}, 400, "This link is broken"),
        ({"return_to": "https://evil.example/"}, 400, "This link is broken"),
        ({"return_to": "javascript:alert(1)"}, 400, "This link is broken"),
        ({"return_to": f"https://app.example/{HOSTILE}"}, 400, "This link is broken"),
        ({"return_to": "//evil.example"}, 400, "This link is broken"),
        ({"state": ""}, 400, "This link is broken"),
        ({"state": "two words"}, 400, "This link is broken"),
        ({"state": "a\r\nset-cookie: b"}, 400, "This link is broken"),
        ({"state": "\u2603"}, 400, "This link is broken"),
        ({"state": "s" * 513}, 400, "This link is broken"),
    ],
)
async def test_a_link_that_is_wrong(
    platform: Starlette, visitor: Visitor, changed: dict[str, str], status: int, title: str
) -> None:
    """Nothing is begun; the app's key is never told again."""
    response = await visitor.http.get(visitor.address(**changed))

    assert (status, title) == said(response)
    assert visitor.secret.reveal() not in response.text
    assert [] == rows(platform, GRANTS)


@pytest.mark.parametrize(
    "query", ["state=a&state=b", "app_key=%ff", "x=1&" * 21, "return_to=%C0%AF"]
)
async def test_a_query_that_can_be_read_in_two_ways(visitor: Visitor, query: str) -> None:
    """Values that are given twice, and what is no UTF-8."""
    response = await visitor.http.get(f"{visitor.address()}&{query}")

    assert (400, "This link is broken") == said(response)


@pytest.mark.parametrize("text", ["\u2603", "\\", "%0d%0a", "%00"])
async def test_a_query_that_no_browser_sends(visitor: Visitor, text: str) -> None:
    """Raw bytes are no reason to fail."""
    scope_path = visitor.address().partition("?")[0]

    response = await visitor.http.get(f"{scope_path}?{text}")

    assert response.status_code in {400, 401}


async def test_the_longest_state_comes_back(visitor: Visitor) -> None:
    """512 characters, of those that mean something in cookies and addresses."""
    state = ";,\"\\&=%#+?/'<>"[:14] * 36 + "12345678"
    _, form = await visitor.opened(state=state)

    assert 512 == len(state)
    assert state == answer_in(await visitor.submit(form, decision="deny"))["state"]


async def test_a_revoked_app(platform: Starlette, visitor: Visitor) -> None:
    """Its links open nothing any more."""
    platform.state.vendo.keys.revoke("acme", "key_1")

    response = await visitor.http.get(visitor.address())

    assert (401, "This app is not known here") == said(response)
    assert "was revoked" in response.text


async def test_a_connections_key(platform: Starlette, visitor: Visitor) -> None:
    """It opens its token, and connects nothing."""
    made = await platform.state.vendo.connections.connect("acme", "shop", "notion")
    connection_id = made.connection_id
    _, secret = platform.state.vendo.keys.create("acme", "shop", connection_id=connection_id)

    response = await visitor.http.get(visitor.address("notion", app_key=secret.reveal()))

    assert (401, "This app is not known here") == said(response)
    assert "the key of a connection" in response.text


async def test_an_app_whose_key_has_expired(
    platform: Starlette, visitor: Visitor, clock: ServerClock
) -> None:
    """The page says so."""
    _, secret = platform.state.vendo.keys.create("acme", "shop", expires_at=clock.now + 1_000)
    clock.advance(1_000)

    response = await visitor.http.get(visitor.address(app_key=secret.reveal()))

    assert (401, "This app is not known here") == said(response)
    assert "has expired" in response.text


# -- states ---------------------------------------------------------------------------------------


async def test_a_state_that_was_used(platform: Starlette, visitor: Visitor) -> None:
    """Neither in this browser nor in another one, nor for another integration."""
    link = visitor.address(state="once")
    _, form = await visitor.opened(state="once")
    await visitor.submit(form, decision="deny")

    same = await visitor.http.get(link)
    other = await visitor.another_browser().http.get(link)
    elsewhere = await visitor.http.get(visitor.address("gmail", state="once"))

    used = (409, "This link has been used")
    assert [used] * 3 == [said(same), said(other), said(elsewhere)]
    assert 1 == len(rows(platform, GRANTS))


async def test_a_state_that_another_browser_is_on(visitor: Visitor) -> None:
    """Whoever got hold of the link does not get the visit."""
    await visitor.opened(state="once")

    response = await visitor.another_browser().http.get(visitor.address(state="once"))

    assert (409, "This link is in use") == said(response)


@pytest.mark.parametrize(
    "changed", [{"return_to": f"{BACK}/other"}, {"slug": "gmail"}], ids=["return_to", "slug"]
)
async def test_a_state_for_something_else(visitor: Visitor, changed: dict[str, str]) -> None:
    """The visit goes where it was begun for."""
    await visitor.opened(state="once")

    response = await visitor.http.get(visitor.address(**{"state": "once", **changed}))

    assert (409, "This link is in use") == said(response)


async def test_the_same_link_in_the_same_browser_goes_on(
    platform: Starlette, visitor: Visitor
) -> None:
    """Who opens it again, by the app's button, is on the same visit."""
    first, _ = await visitor.opened(state="once")

    second, form = await visitor.opened(state="once")

    assert first == second
    assert 1 == len(rows(platform, GRANTS))
    assert "denied" == answer_in(await visitor.submit(form, decision="deny"))["status"]


async def test_a_state_whose_time_is_up(visitor: Visitor, clock: ServerClock) -> None:
    """It is not begun again: an app makes a new one."""
    await visitor.opened(state="once")
    clock.advance(15 * 60 * 1_000)

    response = await visitor.http.get(visitor.address(state="once"))

    assert (410, "This page is no longer valid") == said(response)


async def test_apps_do_not_share_states(platform: Starlette, visitor: Visitor) -> None:
    """Each makes up its own."""
    _, secret = platform.state.vendo.keys.create("acme", "other")
    await visitor.opened(state="once")

    await visitor.opened(state="once", app_key=secret.reveal())

    assert 2 == len(rows(platform, GRANTS))


# -- visits ---------------------------------------------------------------------------------------


async def test_a_visit_without_its_cookie(visitor: Visitor) -> None:
    """Its address opens nothing."""
    location, form = await visitor.opened()
    stranger = visitor.another_browser()

    shown = await stranger.http.get(location)
    posted = await stranger.submit(form, decision="connect", key=KEY)

    assert [(410, "This page is no longer valid")] * 2 == [said(shown), said(posted)]


@pytest.mark.parametrize("change", ["state", "token", "other visit", "other slug", "junk"])
async def test_a_cookie_that_was_altered(
    platform: Starlette, visitor: Visitor, change: str
) -> None:
    """The state in it is not another one, the token not a guess, the visit not elsewhere."""
    location, _ = await visitor.opened()
    ((name, value),) = visitor.http.cookies.items()
    token, _, state = value.partition(".")
    if change == "state":
        value = f"{token}.{state[:-2]}AA"
    elif change == "token":
        value = f"{'A' * 32}.{state}"
    elif change == "other visit":
        location = f"{location[:-1]}{'0' if location[-1] != '0' else '1'}"
        name = f"{name[:-1]}{location[-1]}"
    elif change == "other slug":
        location = location.replace("openai", "anthropic")
    else:
        value = "\u00e9;;=,.".encode("latin-1").decode("latin-1")
    stranger = visitor.another_browser()

    shown = await stranger.http.get(
        location, headers={"cookie": f"{name}={value}".encode("latin-1")}
    )

    assert (410, "This page is no longer valid") == said(shown)


async def test_an_origin_that_is_listed_no_more(
    platform: Starlette, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that starts again with another list sends nobody there."""
    _, form = await visitor.opened(return_to="https://app.example/")
    page = next(route.app for route in platform.routes if route.prefix == "/connections")
    monkeypatch.setattr(page, "_allowed", frozenset())

    posted = await visitor.submit(form, decision="deny")

    assert (410, "This page is no longer valid") == said(posted)


# -- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form_token", ["", "0" * 64, "\u2603"])
async def test_a_form_without_its_token(
    platform: Starlette, visitor: Visitor, form_token: str
) -> None:
    """What another site has the browser post connects nothing."""
    _, form = await visitor.opened()

    posted = await visitor.submit(form, decision="connect", key=KEY, form_token=form_token)

    assert (403, "That did not come from this page") == said(posted)
    assert [] == rows(platform, CONNECTIONS)


async def test_a_form_with_the_token_of_another_visit(visitor: Visitor) -> None:
    """An attacker may well have a visit of its own."""
    _, form = await visitor.opened()
    _, own = await visitor.another_browser().opened()

    posted = await visitor.submit(form, decision="deny", form_token=own.values["form_token"])

    assert (403, "That did not come from this page") == said(posted)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},  # the same site, as browsers see it
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"content-type": "text/plain"},
        {"content-type": "application/json"},
    ],
)
async def test_a_form_from_elsewhere(
    platform: Starlette, visitor: Visitor, headers: dict[str, str]
) -> None:
    """Even with the token: a page that could read it would still be another site's."""
    _, form = await visitor.opened()

    posted = await visitor.submit(form, headers, decision="connect", key=KEY)

    assert (403, "That did not come from this page") == said(posted)
    assert [] == rows(platform, CONNECTIONS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": ORIGIN},
        {"origin": "https://localhost"},  # a proxy in front ends TLS
        {"origin": ORIGIN, "sec-fetch-site": "same-origin"},
    ],
)
async def test_a_form_of_its_own(visitor: Visitor, headers: dict[str, str]) -> None:
    """With what browsers say of themselves, or without."""
    _, form = await visitor.opened()

    assert "denied" == answer_in(await visitor.submit(form, headers, decision="deny"))["status"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"form_token=a&form_token=b", 400),
        (b"form_token=%ff", 400),
        (b"\xff\0", 400),
        (b"x=1&" * 30, 400),
        (b"a" * 2_000_000, 413),
    ],
)
async def test_a_body_that_is_no_form(visitor: Visitor, body: bytes, status: int) -> None:
    """Bounded, too."""
    _, form = await visitor.opened()
    headers = {"content-type": "application/x-www-form-urlencoded"}

    posted = await visitor.http.post(form.action, content=body, headers=headers)

    assert status == said(posted)[0]


@pytest.mark.parametrize("decision", [None, "", "approve", HOSTILE])
async def test_neither_yes_nor_no(
    platform: Starlette, visitor: Visitor, decision: str | None
) -> None:
    """A form that says neither decides nothing."""
    _, form = await visitor.opened("gmail")
    changed: dict[str, Any] = {} if decision is None else {"decision": decision}

    posted = await visitor.submit(form, **changed)

    assert (400, "That did not work") == said(posted)
    assert [] == rows(platform, CONNECTIONS)


# -- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/connections/", 404),
        ("GET", "/connections/connect", 404),
        ("GET", "/connections/connect/", 401),
        ("GET", "/connections/connect/openai", 401),
        ("GET", "/connections/connect/openai/0123456789abcdef", 410),
        ("GET", "/connections/connect/%FF", 400),
        ("GET", "/connections/connect/openai/%0d%0a", 410),
        ("GET", "/connections/assets/connect.css", 404),
        ("GET", "/connections/assets/..%2Fapi.py", 404),
        ("POST", "/connections/connect/openai", 405),
        ("POST", "/connections/connect/openai/0123456789abcdef", 410),
        ("PUT", "/connections/connect/openai/0123456789abcdef", 405),
    ],
)
async def test_other_paths_and_methods(
    visitor: Visitor, method: str, path: str, status: int
) -> None:
    """Pages, all of them."""
    response = await visitor.http.request(method, path)

    assert status == said(response)[0]
    assert (status == 405) == ("allow" in response.headers)


async def test_a_head_begins_nothing(platform: Starlette, visitor: Visitor) -> None:
    """So that what previews a link does not use it up."""
    response = await visitor.http.head(visitor.address())

    assert 405 == response.status_code
    assert [] == rows(platform, GRANTS)


async def test_a_name_of_somebody_elses(visitor: Visitor) -> None:
    """A web page that has its name lead here gets no page (DNS rebinding)."""
    response = await visitor.http.get(visitor.address(), headers={"host": "evil.example"})

    assert 400 == response.status_code
    assert "location" not in response.headers
