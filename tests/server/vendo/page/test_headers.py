"""What keeps the page to itself: its headers, its cookie, and what stands in its HTML."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server.vendo.address import page_url

from ._visitor import BACK, Visitor


def cookie_of(response: httpx.Response) -> tuple[str, set[str]]:
    """The cookie's name and value, and its attributes."""
    pair, *attributes = response.headers["set-cookie"].split("; ")
    return pair, set(attributes)


async def test_the_app_key_leaves_the_address_at_once(visitor: Visitor) -> None:
    """The visit's address holds nothing that the link held."""
    begun = await visitor.http.get(visitor.address(state="in-the-link"))

    location = begun.headers["location"]
    assert location.startswith("/connections/connect/openai/")
    assert "?" not in location
    assert visitor.secret.reveal() not in str(begun.headers) + begun.text
    assert "in-the-link" not in str(begun.headers)
    assert "no-referrer" == begun.headers["referrer-policy"]
    assert "no-store" == begun.headers["cache-control"]


async def test_the_cookie(visitor: Visitor) -> None:
    """No script reads it, no other path gets it, and it ends with the visit."""
    begun = await visitor.http.get(visitor.address())

    pair, attributes = cookie_of(begun)
    visit = begun.headers["location"].rpartition("/")[2]
    assert pair.startswith(f"vendo_visit_{visit}=")
    assert {
        "HttpOnly",
        "SameSite=Lax",
        "Path=/connections/connect/openai",
        "Max-Age=900",
    } == attributes


async def test_the_cookie_over_tls(platform: Starlette, visitor: Visitor) -> None:
    """It does not travel in plain text."""
    transport = httpx.ASGITransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url="https://behind.example") as http:
        link = page_url(
            "https://behind.example", "openai", app_key=visitor.secret, return_to=BACK, state="s"
        )
        begun = await http.get(link)

    assert "Secure" in cookie_of(begun)[1]


@pytest.mark.parametrize(
    ("return_to", "leads_to"),
    [
        (BACK, "'self' http://127.0.0.1:3000 https://app.example"),
        ("https://app.example/x", "'self' https://app.example"),
        ("http://[::1]:3000/", "'self' http: https://app.example"),
    ],
)
async def test_the_headers_of_a_page_with_a_form(
    visitor: Visitor, return_to: str, leads_to: str
) -> None:
    """Its form leads here and to where people are sent back; an address in brackets has no name."""
    location, _ = await visitor.opened(return_to=return_to)

    headers = (await visitor.http.get(location)).headers

    assert (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action {leads_to}" == headers["content-security-policy"]
    )
    assert "same-origin" == headers["referrer-policy"]
    assert "no-store" == headers["cache-control"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "DENY" == headers["x-frame-options"]
    assert headers["x-request-id"].startswith("req_")


async def test_the_way_back_tells_no_referer(visitor: Visitor) -> None:
    """Nor is it kept by a cache."""
    _, form = await visitor.opened()

    back = await visitor.submit(form, decision="deny")

    assert "no-referrer" == back.headers["referrer-policy"]
    assert "no-store" == back.headers["cache-control"]


async def test_names_are_text(visitor: Visitor) -> None:
    """An app may be called anything; markup in its name is shown, not obeyed."""
    location, _ = await visitor.opened()

    text = (await visitor.http.get(location)).text

    assert "Shop &amp; &lt;b&gt;Sons&lt;/b&gt;" in text
    assert "<b>" not in text


async def test_the_token_of_the_visit_is_not_in_the_page(visitor: Visitor) -> None:
    """What reads the page does not get the visit."""
    location, _ = await visitor.opened(state="in-the-cookie")

    text = (await visitor.http.get(location)).text

    (value,) = visitor.http.cookies.values()
    assert value.partition(".")[0] not in text
    assert "in-the-cookie" not in text
    assert visitor.secret.reveal() not in text


async def test_the_style_sheet_is_kept_for_ever(visitor: Visitor) -> None:
    """Its name changes with it; nothing else is fetched."""
    location, _ = await visitor.opened()
    text = (await visitor.http.get(location)).text
    path = text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]

    style = await visitor.http.get(path)

    assert 200 == style.status_code
    assert "text/css; charset=utf-8" == style.headers["content-type"]
    assert "immutable" in style.headers["cache-control"]
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert "<script" not in text
    assert "style=" not in text.replace("stylesheet", "")
    assert "://" not in text.replace("http://127.0.0.1:3000", "")


def test_the_link_is_quoted() -> None:
    """Whatever is in it."""
    link = page_url(
        "http://127.0.0.1:8787",
        "open/ai",
        app_key=Secret("vendo_sk_a&b"),
        return_to="http://localhost/?a=b#c",
        state="s t",
    )

    assert (
        "http://127.0.0.1:8787/connections/connect/open%2Fai?app_key=vendo_sk_a%26b"
        "&return_to=http%3A%2F%2Flocalhost%2F%3Fa%3Db%23c&state=s+t" == link
    )
