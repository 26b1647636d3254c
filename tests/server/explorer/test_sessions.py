"""Signing in and out, and everybody who is not let in."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server.explorer.sessions import LASTS_MS
from quatrain.server.keys import Mode, Scope
from tests.server._support import ServerClock

from .conftest import FORM, Browser, browser_of, hidden, words

PAGES = ["/", "/effects", "/effects/eff_000000000001", "/nothing"]


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_anything_unless_signed_in(stranger: Browser, path: str) -> None:
    """Whether there is such a page or not, the way leads to the key, and back."""
    answer = await stranger.get(f"{path}?state=FAILED")
    assert 303 == answer.status_code
    assert answer.headers["location"].startswith("/explorer/login?then=")
    assert (await stranger.login(then=f"{path[1:]}?state=FAILED")).headers["location"] == (
        f"/explorer{path}?state=FAILED"
    )


async def test_the_bare_address_leads_in(stranger: Browser) -> None:
    """Without the slash that the rest hangs on."""
    answer = await stranger.http.get("http://localhost/explorer")
    assert (303, "/explorer/") == (answer.status_code, answer.headers["location"])


async def test_a_script_is_sent_to_the_key(stranger: Browser) -> None:
    """It can't show a page of another kind: the browser is told to go there."""
    answer = await stranger.get("/effects", **{"hx-request": "true"})
    assert (401, "/explorer/login") == (answer.status_code, answer.headers["hx-redirect"])


async def test_a_session_is_a_cookie_for_this_site_alone(stranger: Browser) -> None:
    """Scripts can't read it, other sites can't send it, and it is not the key."""
    cookie = (await stranger.login()).headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert "quatrain_explorer" == name
    assert re.fullmatch(
        r"[A-Za-z0-9_-]{32}; Path=/explorer; Max-Age=43200; HttpOnly; SameSite=Strict", rest
    )
    assert stranger.key.reveal() not in cookie


async def test_over_tls_the_cookie_stays_there(stranger: Browser) -> None:
    """It is not sent in plain text later."""
    headers = {**FORM, "origin": "https://localhost"}
    answer = await stranger.http.post(
        "https://localhost/explorer/login", data={"key": stranger.key.reveal()}, headers=headers
    )
    assert answer.headers["set-cookie"].endswith("; Secure")


async def test_platforms_on_one_host_leave_each_other_alone(app: Starlette) -> None:
    """A browser takes a cookie to every port: signing in at one, or out, is of one alone."""
    one, two = browser_of(app), browser_of(app)
    jar = one.http.cookies.jar
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), cookies=jar) as http,
        one.http,
        two.http,
    ):
        sites = ["http://localhost:8001", "http://localhost:8002", "http://localhost"]
        for site, key in zip(sites, (one.key, two.key, two.key), strict=True):
            form = {**FORM, "origin": site}
            sent = await http.post(
                f"{site}/explorer/login", data={"key": key.reveal()}, headers=form
            )
            assert 303 == sent.status_code
        names = {"quatrain_explorer_8001", "quatrain_explorer_8002", "quatrain_explorer"}
        assert names == {cookie.name for cookie in jar}
        page = (await http.get(f"{sites[0]}/explorer/effects")).text
        data = {"form_token": hidden(page, "form_token")}
        form = {**FORM, "origin": sites[0]}
        await http.post(f"{sites[0]}/explorer/logout", data=data, headers=form)
        told = [(await http.get(f"{site}/explorer/effects")).status_code for site in sites]
    assert [303, 200, 200] == told


@pytest.mark.on_file
async def test_neither_key_nor_token_lies_in_the_database(
    browser: Browser, database: Path, app: Starlette
) -> None:
    """Hashes only."""
    token = browser.http.cookies["quatrain_explorer"]
    await browser.text("/effects")
    stored = b"".join(file.read_bytes() for file in database.parent.iterdir())
    assert token.encode() not in stored
    assert browser.key.reveal().encode() not in stored


@pytest.mark.parametrize("key", ["", "vt_test_wrong", "\u00e9", "x" * 5_000])
async def test_a_wrong_key_opens_nothing(stranger: Browser, key: str) -> None:
    """The page says so, never shows it again, and no cookie is set."""
    answer = await stranger.login(Secret(key))
    assert 401 == answer.status_code
    assert "That is no key of this platform" in words(answer.text)
    assert not key or key not in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_key_that_may_not_look_is_told_so(app: Starlette) -> None:
    """It writes effects, and that is all."""
    browser = browser_of(app, scopes=[Scope.WRITE])
    answer = await browser.login()
    assert (403, False) == (answer.status_code, "set-cookie" in answer.headers)
    assert "effects:read" in answer.text
    await browser.http.aclose()


@pytest.mark.parametrize(
    ("scopes", "acts"),
    [([Scope.READ], False), ([Scope.READ, Scope.RESET], True), ([Scope.MANAGE], True)],
)
async def test_the_scopes_say_what_a_session_may(
    app: Starlette, scopes: list[Scope], acts: bool
) -> None:
    """Who may only look is told so, and sees no forms to act with."""
    browser = browser_of(app, scopes=scopes)
    await browser.login()
    assert acts == ("read-only" not in await browser.text("/effects"))
    await browser.http.aclose()


async def test_who_is_signed_in_need_not_again(browser: Browser) -> None:
    """The login page leads on."""
    answer = await browser.get("/login?then=effects%3Fstate%3DFAILED")
    assert "/explorer/effects?state=FAILED" == answer.headers["location"]


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example", "\\\\evil", "a b", "x\r\nset-cookie: a=b"]
)
async def test_signing_in_leads_nowhere_else(stranger: Browser, then: str) -> None:
    """What comes after it is always below the Explorer."""
    location = (await stranger.login(then=then)).headers["location"]
    assert location.startswith("/explorer/")
    assert "\r" not in location


async def test_a_session_ends_with_the_day(browser: Browser, clock: ServerClock) -> None:
    """Twelve hours after it began, used or not."""
    clock.advance(LASTS_MS - 1)
    await browser.text("/effects")
    clock.advance(1)
    assert 303 == (await browser.get("/effects")).status_code


async def test_a_session_ends_with_its_key(browser: Browser, app: Starlette) -> None:
    """At once where it is revoked."""
    (key,) = [key for key in app.state.keys.list() if key.name == "ops"]
    app.state.keys.revoke(key.key_id)
    assert 303 == (await browser.get("/effects")).status_code


async def test_signing_out_ends_it_for_good(browser: Browser) -> None:
    """The cookie is taken back, and one that was kept opens nothing."""
    token = browser.http.cookies["quatrain_explorer"]
    answer = await browser.post("/logout")
    assert (303, "/explorer/login") == (answer.status_code, answer.headers["location"])
    assert "Max-Age=0" in answer.headers["set-cookie"]
    browser.http.cookies.clear()
    answer = await browser.get("/effects", cookie=f"quatrain_explorer={token}")
    assert 303 == answer.status_code


@pytest.mark.parametrize(
    "cookie",
    ["quatrain_explorer=", "quatrain_explorer=" + "A" * 32, "quatrain_explorer=%00", "x", "=;=;"],
)
async def test_cookies_of_others_are_nobody(stranger: Browser, cookie: str) -> None:
    """Whatever they hold, it is not an error."""
    assert 303 == (await stranger.get("/effects", cookie=cookie)).status_code


async def test_two_cookies_are_none(browser: Browser) -> None:
    """Somebody slipped one in: which is meant can't be told."""
    token = browser.http.cookies["quatrain_explorer"]
    browser.http.cookies.clear()
    twice = f"quatrain_explorer={token}; quatrain_explorer={token}"
    assert 303 == (await browser.get("/effects", cookie=twice)).status_code


async def test_a_lent_key_opens_it_while_its_process_lives(app: Starlette) -> None:
    """So an embedded platform can be looked into with the key that it made up."""
    browser = browser_of(app)
    lent = Secret("vt_test_lent")
    app.state.keys.lend(lent, tenant="acme")
    assert 303 == (await browser.login(lent)).status_code
    assert "read-only" not in await browser.text("/effects")
    await browser.http.aclose()


# -- forms of other sites -------------------------------------------------------------------------

ELSEWHERE = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"content-type": "text/plain"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
async def test_another_site_signs_nobody_in(stranger: Browser, headers: dict[str, str]) -> None:
    """Nor gets somebody to act in an account of its own."""
    body = f"key={stranger.key.reveal()}"
    answer = await stranger.http.post("/login", content=body, headers={**FORM, **headers})
    assert (403, False) == (answer.status_code, "set-cookie" in answer.headers)


@pytest.mark.parametrize("headers", ELSEWHERE)
async def test_another_site_posts_nothing(browser: Browser, headers: dict[str, str]) -> None:
    """Even with the form's token."""
    token = hidden(await browser.text("/effects"), "form_token")
    answer = await browser.http.post(
        "/logout", content=f"form_token={token}", headers={**FORM, **headers}
    )
    assert 403 == answer.status_code
    await browser.text("/effects")


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
async def test_a_form_needs_its_sessions_token(browser: Browser, token: str | None) -> None:
    """None, an empty or another's is refused."""
    fields = {} if token is None else {"form_token": token}
    assert 403 == (await browser.send("/logout", **fields)).status_code


async def test_tokens_are_of_one_session(browser: Browser, app: Starlette) -> None:
    """Another session's does not fit, not even of the same key."""
    other = browser_of(app)
    await other.login(browser.key)
    token = hidden(await other.text("/effects"), "form_token")
    assert 403 == (await browser.send("/logout", form_token=token)).status_code
    await other.http.aclose()


async def test_the_sessions_token_is_on_no_page(browser: Browser) -> None:
    """What reads a page does not get the session."""
    assert browser.http.cookies["quatrain_explorer"] not in await browser.text("/effects")


@pytest.mark.parametrize("path", ["/login", "/effects", "/nothing"])
async def test_pages_keep_to_themselves(browser: Browser, path: str) -> None:
    """No inline script or style, no frame, no cache, nothing from elsewhere."""
    browser.http.cookies.clear() if path == "/login" else None
    answer = await browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "no-store" == answer.headers["cache-control"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "same-origin" == answer.headers["referrer-policy"]
    assert "<style" not in answer.text
    assert "style=" not in answer.text
    assert " on" not in re.sub(r'"[^"]*"', "", " ".join(re.findall(r"<[a-z][^>]*>", answer.text)))


async def test_live_data_says_so(app: Starlette) -> None:
    """In every page's head, and a session sees its own realm only."""
    browser = browser_of(app)
    _, live = app.state.keys.create(tenant="acme", mode=Mode.LIVE)
    await browser.ledger.lease(browser.effect("only-in-test"))
    await browser.login(live)
    page = await browser.text("/effects")
    assert "live data" in page
    assert "only-in-test" not in page
    assert 404 == (await browser.get("/effects/eff_000000000001")).status_code
    await browser.http.aclose()


async def test_assets_are_here_and_keep(browser: Browser) -> None:
    """Under names that change with them; others are nothing."""
    page = await browser.text("/effects")
    names = re.findall(r'(?:href|src)="/explorer(/assets/[^"]+)"', page)
    assert len(names) >= 2
    for name in names:
        answer = await browser.get(name)
        assert (200, True) == (answer.status_code, "immutable" in answer.headers["cache-control"])
    for name in ("/assets/", "/assets/htmx.LICENSE", "/assets/../api.py", "/assets/%2e%2e/api.py"):
        assert 404 == (await browser.get(name)).status_code
