"""A person at the connect page: what they see and do, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from quatrain.server.embedded import EmbeddedPlatform

from ._app import LocalApp

pytestmark = pytest.mark.once

KEY = "sk-proj-0123456789abcdef"


def token(platform: EmbeddedPlatform, slug: str) -> str | None:
    """What the app gets of the connection."""
    headers = {"authorization": f"Bearer {platform.vendo_key.reveal()}"}
    answer = httpx.get(f"{platform.url}/credentials/{slug}", headers=headers, trust_env=False)
    return str(answer.json()["access_token"]) if answer.is_success else None


def heading(page: Any) -> str:
    return str(page.locator("h1").inner_text())


def history(page: Any) -> list[str]:
    """Every address to which this tab could go back."""
    session = page.context.new_cdp_session(page)
    entries = session.send("Page.getNavigationHistory")["entries"]
    session.detach()
    return [entry["url"] for entry in entries]


def type_key(page: Any, key: str = KEY) -> None:
    """By keyboard alone: the cursor is in the field."""
    page.keyboard.type(key)
    page.keyboard.press("Enter")


# -- what a person does ---------------------------------------------------------------------------


def test_a_key_is_pasted(page: Any, platform: EmbeddedPlatform, local_app: LocalApp) -> None:
    """Enter connects, and leads back with the answer."""
    page.goto(local_app.link("openai", path="/back?tab=2", state="mine"))

    assert "Connect OpenAI to local" == heading(page)
    type_key(page)
    page.wait_for_url("**/back?**")

    expected = {"tab": "2", "state": "mine", "slug": "openai", "status": "connected"}
    assert [expected] == local_app.answers
    assert KEY == token(platform, "openai")


def test_the_label_names_the_field(page: Any, local_app: LocalApp) -> None:
    """What is typed is hidden, and the hint is read out with it."""
    page.goto(local_app.link("telegram"))

    field = page.get_by_label("Telegram key")

    assert "password" == field.get_attribute("type")
    assert "off" == field.get_attribute("autocomplete")
    hint = page.locator(f"#{field.get_attribute('aria-describedby')}")
    assert "The value of TELEGRAM_BOT_TOKEN." == hint.inner_text()


def test_a_grant_is_approved(page: Any, platform: EmbeddedPlatform, local_app: LocalApp) -> None:
    """It is called simulated, says what it is for, and is one click."""
    page.goto(local_app.link("notion"))

    assert "Let local use Notion?" == heading(page)
    assert page.get_by_text("Simulated consent.").is_visible()
    assert page.get_by_text("Add pages, and change them").is_visible()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/back?**")

    assert ["connected"] == [answer["status"] for answer in local_app.answers]
    assert token(platform, "notion") is not None


@pytest.mark.parametrize(("slug", "button"), [("slack", "Deny"), ("muapi", "Cancel")])
def test_a_person_says_no(
    page: Any, platform: EmbeddedPlatform, local_app: LocalApp, slug: str, button: str
) -> None:
    """Nothing has to be filled in for it, and nothing is connected."""
    page.goto(local_app.link(slug, state="mine-" + slug))

    page.get_by_role("button", name=button).click()
    page.wait_for_url("**/back?**")

    assert [{"state": f"mine-{slug}", "slug": slug, "status": "denied"}] == local_app.answers
    assert token(platform, slug) is None


def test_a_key_that_is_none(page: Any, local_app: LocalApp) -> None:
    """The page says what is wrong, has the cursor in the field, and forgets what was typed."""
    page.goto(local_app.link("openai"))
    type_key(page, "sk two words")

    alert = page.get_by_role("alert")
    alert.wait_for()

    assert "A key has no blanks" in alert.inner_text()
    assert page.title().startswith("Error: ")
    field = page.get_by_label("OpenAI key")
    assert "" == field.input_value()
    assert "true" == field.get_attribute("aria-invalid")
    assert "key" == page.evaluate("document.activeElement.id")
    assert "two words" not in page.content()
    assert [] == local_app.answers


def test_a_key_that_is_too_long(page: Any, local_app: LocalApp) -> None:
    """It is refused whole, not cut to what fits."""
    page.goto(local_app.link("openai"))
    page.get_by_label("OpenAI key").fill("k" * 10_001)
    page.keyboard.press("Enter")

    page.get_by_role("alert").wait_for()

    assert "longer than 10,000" in page.get_by_role("alert").inner_text()
    assert [] == local_app.answers


def test_a_double_click(page: Any, platform: EmbeddedPlatform, local_app: LocalApp) -> None:
    """The browser drops the first answer for the second one, which says the same."""
    page.goto(local_app.link("gmail"))

    page.get_by_role("button", name="Approve").dblclick(no_wait_after=True)
    page.get_by_text("You are back.").wait_for()

    assert {"connected"} == {answer["status"] for answer in local_app.answers}
    assert 1 == len({answer["state"] for answer in local_app.answers})
    assert token(platform, "gmail") is not None


def test_going_back(page: Any, local_app: LocalApp) -> None:
    """There is no form to submit again, only what was decided, and the way to the app."""
    page.goto(local_app.link("anthropic"))
    type_key(page)
    page.wait_for_url("**/back?**")

    page.go_back()

    assert "Anthropic is connected" == heading(page)
    assert 0 == page.locator("form").count()
    page.get_by_role("link", name="Go back to local").click()
    page.wait_for_url("**/back?**")
    assert local_app.answers[0] == local_app.answers[1]


def test_a_state_is_good_for_once(page: Any, browser: Any, local_app: LocalApp) -> None:
    """The link opens nothing any more, here or in another profile."""
    link = local_app.link("openai")
    page.goto(link)
    other = browser.new_context()
    elsewhere = other.new_page()
    elsewhere.goto(link)
    assert "This link is in use" == heading(elsewhere)
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/back?**")

    page.goto(link)
    elsewhere.goto(link)

    assert ["This link has been used"] * 2 == [heading(page), heading(elsewhere)]
    other.close()


# -- what stays secret ----------------------------------------------------------------------------


def test_the_keys_are_nowhere_in_the_browser(
    page: Any, platform: EmbeddedPlatform, local_app: LocalApp
) -> None:
    """Not in the address, the history or the page, nor in what the app is told.

    The person comes from another site, as from most apps, and is let in all the same.
    """
    page.goto(f"{local_app.origin}/start".replace("127.0.0.1", "localhost"))
    page.evaluate("link => { location.href = link }", local_app.link("openrouter"))
    page.get_by_label("OpenRouter key").wait_for()

    address = rf"{platform.url}/connections/connect/openrouter/[0-9a-f]{{16}}"
    assert re.fullmatch(address, page.url)
    seen = [page.content(), *history(page)]
    type_key(page)
    page.wait_for_url("**/back?**")
    seen += [page.content(), *history(page), str(local_app.requests)]

    secrets = [platform.vendo_key.reveal(), KEY, "app_key"]
    assert [] == [text for text in seen for secret in secrets if secret in text]
    (told,) = [headers for path, headers in local_app.requests if path.startswith("/back")]
    assert "referer" not in told


def test_no_script_sees_the_visit(page: Any, local_app: LocalApp) -> None:
    """The cookie is the browser's own, and only of this path."""
    page.goto(local_app.link("openai"))

    (cookie,) = page.context.cookies()

    assert cookie["httpOnly"]
    assert "Lax" == cookie["sameSite"]
    assert "/connections/connect/openai" == cookie["path"]
    assert "" == page.evaluate("document.cookie")


# -- what strangers try ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"return_to": "javascript:alert(1)"},
        {"return_to": "https://evil.example/"},
        {"return_to": "http://127.0.0.1\\@evil.example/"},
        {"return_to": 'http://127.0.0.1/"><script>alert(1)</script>'},
        {"state": '"><script>alert(1)</script> '},
        {"slug": '"><img src=x onerror=alert(1)>'},
        {"slug": "</title><script>alert(1)</script>"},
    ],
)
def test_hostile_links(page: Any, local_app: LocalApp, changed: dict[str, str]) -> None:
    """They get a page that says no; nothing of them runs, and nobody is sent anywhere."""
    link = local_app.link(**changed)

    page.goto(link)

    assert page.url == link
    assert page.get_by_role("heading", level=1).is_visible()
    assert 0 == page.locator("script, img, form").count()
    assert [] == local_app.requests


def test_a_hostile_state_that_is_allowed(page: Any, local_app: LocalApp) -> None:
    """It comes back as it was."""
    state = "'\"><script>alert(1)</script>&status=connected#%00;"
    page.goto(local_app.link("openai", state=state))

    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/back?**")

    assert [{"state": state, "slug": "openai", "status": "denied"}] == local_app.answers


def test_a_form_of_another_port(page: Any, platform: EmbeddedPlatform, local_app: LocalApp) -> None:
    """To the browser it is the same site, so it sends the cookie: that is not enough."""
    page.goto(local_app.link("assemblyai"))
    address, form_token = page.url, page.locator("[name=form_token]").get_attribute("value")
    page.goto(f"{local_app.origin}/elsewhere")

    page.evaluate(
        """([address, token, key]) => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = address;
            form.innerHTML = "<input name=form_token><input name=decision><input name=key>";
            [form[0].value, form[1].value, form[2].value] = [token, "connect", key];
            document.body.append(form);
            form.submit();
        }""",
        [address, form_token, KEY],
    )
    page.wait_for_url(address)

    assert "That did not come from this page" == heading(page)
    assert token(platform, "assemblyai") is None


def test_a_frame(browser: Any, local_app: LocalApp) -> None:
    """Nobody can lay the page under something else, for people to click on."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(local_app.link("slack"))
    address = page.url
    page.goto(f"{local_app.origin}/elsewhere")

    with page.expect_console_message(lambda said: "frame" in said.text):
        page.evaluate(
            """address => {
                const frame = document.createElement("iframe");
                frame.src = address;
                document.body.append(frame);
            }""",
            address,
        )

    assert 0 == page.frames[1].locator("form").count()
    context.close()


# -- where it leads -------------------------------------------------------------------------------


def test_an_app_that_sends_on(page: Any, local_app: LocalApp) -> None:
    """Within its own origin it may: what a form leads to is asked of every redirect."""
    page.goto(local_app.link("openai", path="/back?then=/dashboard"))

    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/dashboard")

    assert page.get_by_text("You are back.").is_visible()


@pytest.fixture
def app_on_ipv6(platform: EmbeddedPlatform) -> Iterator[LocalApp]:
    try:
        app = LocalApp(platform, "::1")
    except OSError as exc:
        pytest.skip(f"this machine has no IPv6: {exc}")
    with app:
        yield app


def test_an_app_at_an_ipv6_address(page: Any, app_on_ipv6: LocalApp) -> None:
    """Policies of content can't name one: its scheme must do."""
    page.goto(app_on_ipv6.link("openai"))

    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/back?**")

    assert ["denied"] == [answer["status"] for answer in app_on_ipv6.answers]


def test_a_window_of_the_apps(page: Any, local_app: LocalApp) -> None:
    """What is shown at return_to may talk to the page that opened the window."""
    page.goto(f"{local_app.origin}/start")
    with page.expect_popup() as opened:
        page.evaluate("link => { window.open(link) }", local_app.link("openai"))
    window = opened.value
    window.get_by_role("button", name="Cancel").click()
    window.wait_for_url("**/back?**")

    assert "/start" == window.evaluate("window.opener.location.pathname")


# -- how it looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("slug", ["openai", "slack", "nowhere"])
def test_everything_fits_a_phone(browser: Any, local_app: LocalApp, scheme: str, slug: str) -> None:
    """Nothing is cut off at 320 pixels, can't be read, or is too small for a finger."""
    context = browser.new_context(viewport={"width": 320, "height": 600}, color_scheme=scheme)
    page = context.new_page()
    page.goto(local_app.link(slug))

    width = page.evaluate("document.documentElement.scrollWidth")
    heights = page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=hidden])')]"
        ".map(element => element.getBoundingClientRect().height)"
    )
    contrasts = page.evaluate(CONTRASTS)
    context.close()

    assert 320 == width
    assert [] == [height for height in heights if height < 44]
    assert [] == [(text, contrast) for text, contrast in contrasts if contrast < 4.5]


CONTRASTS = """() => {
    const parse = color => color.match(/[\\d.]+/g).map(Number);
    const luminance = color => {
        const [r, g, b] = color.slice(0, 3).map(value => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const color = parse(getComputedStyle(e).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim();
        if (!text) continue;
        const element = walker.currentNode.parentElement;
        const colors = [parse(getComputedStyle(element).color), behind(element)];
        const [low, high] = colors.map(luminance).sort((one, other) => one - other);
        found.push([text, (high + 0.05) / (low + 0.05)]);
    }
    return found;
}"""
"""Every text of the page with its contrast to what is behind it (WCAG 2.2, 1.4.3)."""
