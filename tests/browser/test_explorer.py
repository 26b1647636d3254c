"""An operator in the Explorer: what they see and do in a real browser."""

from __future__ import annotations

import itertools
import re
from typing import Any

import httpx
import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.keys import Scope

pytestmark = pytest.mark.once

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
_names = itertools.count()


class Agent:
    """Leases and settles effects of a namespace of its own, over HTTP."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        self.namespace = f"ns{next(_names)}"
        self._base = f"{platform.url}/v1/effects/{self.namespace}"
        self._headers = {"authorization": f"Bearer {platform.env['VERITY_API_KEY']}"}

    def post(self, verb: str, **body: Any) -> Any:
        url = f"{self._base}/{verb}"
        answer = httpx.post(url, json=body, headers=self._headers, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    def lease(self, key: str, **more: Any) -> dict[str, Any]:
        answer = self.post("lease", effectKey=key, **more)
        tokens = {name: answer[name] for name in ("fenceToken", "leaseToken")}
        return {"effectKey": key, **tokens}

    def fail(self, key: str, **more: Any) -> None:
        lease = self.lease(key, **more)
        self.post("fail", **lease, error={"name": "TimeoutError", "message": HOSTILE})


@pytest.fixture
def agent(platform: EmbeddedPlatform) -> Agent:
    return Agent(platform)


@pytest.fixture
def explorer(page: Any, platform: EmbeddedPlatform) -> Any:
    """A tab that is signed in, by keyboard alone."""
    page.goto(f"{platform.url}/explorer/")
    page.wait_for_function("document.activeElement.id === 'key'")
    page.keyboard.type(platform.env["VERITY_API_KEY"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/explorer/")
    return page


def go(page: Any, platform: EmbeddedPlatform, path: str) -> None:
    page.goto(f"{platform.url}/explorer{path}")


def open_effect(page: Any, platform: EmbeddedPlatform, agent: Agent) -> None:
    """The page of the newest effect of the agent's."""
    go(page, platform, f"/effects?namespace={agent.namespace}")
    page.locator("td.key a").first.click()
    page.wait_for_url("**/effects/eff_*")


def test_a_failed_effect_is_found_and_reset(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent
) -> None:
    """From the overview to the filter, the page, the reason, and back to waiting."""
    agent.fail("refund:1")
    explorer.locator("a.count.failed").click()
    explorer.get_by_label("Namespace").fill(agent.namespace)
    explorer.keyboard.press("Enter")
    explorer.wait_for_url(f"**namespace={agent.namespace}**")
    explorer.get_by_role("link", name="refund:1").click()
    assert explorer.get_by_text("Failed").first.is_visible()
    explorer.get_by_label("Reason, for the audit trail").fill("the bank is back")
    explorer.get_by_role("button", name="Reset").click()
    explorer.get_by_text("Waiting: it was reset by embedded").wait_for()
    assert explorer.get_by_text("the bank is back").is_visible()
    assert "reset" == agent.post("lease", effectKey="refund:1")["priorState"]


def test_an_uncertain_effect_is_resolved(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent
) -> None:
    """After its lease was released: the result is what the next attempt gets."""
    agent.lease("refund:2")
    open_effect(explorer, platform, agent)
    explorer.get_by_label("Reason, for the audit trail").fill("the worker hangs")
    explorer.get_by_role("button", name="Release").click()
    explorer.get_by_text("Uncertain: its lease was released by an operator").wait_for()
    explorer.get_by_label("done", exact=True).check()
    explorer.get_by_label("Result, if done").fill('{"id": 7}')
    explorer.locator("#resolve-reason").fill("it stands in the bank's list")
    explorer.get_by_role("button", name="Resolve").click()
    explorer.get_by_text("an operator said so").wait_for()
    answer = agent.post("lease", effectKey="refund:2")
    assert ("cached_completed", {"id": 7}) == (answer["status"], answer["cachedResult"])


def test_all_of_a_filter_are_reset(explorer: Any, platform: EmbeddedPlatform, agent: Agent) -> None:
    """After a count, and with a reason."""
    for number in range(3):
        agent.fail(f"mail:{number}")
    go(explorer, platform, f"/effects?namespace={agent.namespace}&state=FAILED")
    explorer.get_by_role("link", name="Reset all of these").click()
    assert "Reset 3 effects" == explorer.locator("h1").inner_text()
    explorer.get_by_label("Reason").fill("the template is mended")
    explorer.get_by_role("button", name="Reset 3 effects").click()
    explorer.wait_for_url("**/bulk")
    assert "Reset: 3" == explorer.locator("h1").inner_text()


def test_a_list_grows_as_it_is_scrolled(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent
) -> None:
    """To its end, each effect once."""
    for number in range(120):
        agent.lease(f"k{number}")
    go(explorer, platform, f"/effects?namespace={agent.namespace}")
    rows = explorer.locator("td.key")
    for shown in (100, 120):
        explorer.evaluate("scrollTo(0, document.body.scrollHeight)")
        rows.nth(shown - 1).wait_for()
    keys = rows.all_inner_texts()
    assert [f"k{number}" for number in reversed(range(120))] == keys


def test_an_effect_is_followed(explorer: Any, platform: EmbeddedPlatform, agent: Agent) -> None:
    """What happens to it appears by itself; what is being typed stays."""
    lease = agent.lease("live")
    open_effect(explorer, platform, agent)
    explorer.get_by_label("Reason, for the audit trail").fill("half a sen")
    agent.post("commit", **lease, result=1)
    explorer.get_by_text("It is not stuck: it was done").wait_for()
    assert "half a sen" == explorer.get_by_label("Reason, for the audit trail").input_value()


def test_everything_works_without_scripts(
    browser: Any, platform: EmbeddedPlatform, agent: Agent
) -> None:
    """Sign in, page on, act, sign out: links and forms."""
    for number in range(60):
        agent.fail(f"k{number}")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    go(page, platform, f"/effects?namespace={agent.namespace}")
    page.get_by_label("API key").fill(platform.env["VERITY_API_KEY"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Older effects").click()
    page.get_by_role("link", name="k3", exact=True).click()
    page.get_by_label("Reason, for the audit trail").fill("r")
    page.get_by_role("button", name="Reset").click()
    page.get_by_text("Waiting: it was reset").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    go(page, platform, "/effects")
    assert page.get_by_label("API key").is_visible()
    context.close()


def test_text_of_others_runs_nowhere(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent
) -> None:
    """No dialog, no error, no breach of the policy (the fixture looks): it is text."""
    agent.fail(
        HOSTILE,
        agentId=HOSTILE,
        effectName=HOSTILE,
        workflowName=HOSTILE,
        caseId=HOSTILE,
        runId=HOSTILE,
        inputJson={HOSTILE: HOSTILE},
    )
    open_effect(explorer, platform, agent)
    assert HOSTILE == explorer.locator("h1").inner_text()
    assert 0 == explorer.locator("img, main script").count()
    explorer.get_by_label("Reason, for the audit trail").fill(HOSTILE)
    explorer.get_by_role("button", name="Reset").click()
    explorer.get_by_text("Waiting: it was reset").wait_for()
    go(explorer, platform, "/workflows")
    explorer.get_by_role("link", name=HOSTILE).first.click()
    explorer.wait_for_url(re.compile(r"/workflow\?name="))
    assert HOSTILE == explorer.locator("h1").inner_text()
    for path in ("/", f"/effects?namespace={agent.namespace}", "/effects?key=%3Cscript%3E"):
        go(explorer, platform, path)
        assert 0 == explorer.locator("img, main script").count()


def test_a_reader_sees_no_way_to_act(page: Any, platform: EmbeddedPlatform, agent: Agent) -> None:
    """And is told that the session is read-only."""
    agent.fail("k")
    _, key = platform.keys.create(scopes=[Scope.READ])
    go(page, platform, "/")
    page.get_by_label("API key").fill(key.reveal())
    page.keyboard.press("Enter")
    page.wait_for_url("**/explorer/")
    open_effect(page, platform, agent)
    assert page.get_by_text("read-only").is_visible()
    assert 0 == page.get_by_role("button", name="Reset").count()


def test_the_cookie_is_out_of_reach_of_scripts(explorer: Any) -> None:
    """And nothing else is kept in the browser than, by htmx, which page the tab shows."""
    assert "" == explorer.evaluate("document.cookie")
    assert 0 == explorer.evaluate("localStorage.length")
    assert ["/explorer/"] == explorer.evaluate("Object.values(sessionStorage)")
    (cookie,) = explorer.context.cookies()
    assert (True, "Strict", "/explorer") == (
        cookie["httpOnly"],
        cookie["sameSite"],
        cookie["path"],
    )


def test_a_link_from_elsewhere_needs_one_step(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent, local_app: Any
) -> None:
    """A Strict cookie does not come along; the page says so, and one click brings it."""
    agent.lease("linked")
    there = platform.url.replace("127.0.0.1", "localhost")
    explorer.context.clear_cookies()
    go(explorer, platform, f"/effects?namespace={agent.namespace}")
    explorer.get_by_label("API key").fill(platform.env["VERITY_API_KEY"])
    explorer.keyboard.press("Enter")
    explorer.wait_for_url(f"**/effects?namespace={agent.namespace}")
    # localhost and 127.0.0.1 are two sites
    explorer.goto(f"{there}/healthz")
    target = f"{platform.url}/explorer/effects?namespace={agent.namespace}"
    explorer.evaluate("target => { location.href = target }", target)
    explorer.get_by_role("link", name="go on").click()
    assert explorer.get_by_role("link", name="linked").is_visible()


@pytest.mark.parametrize("path", ["/", "/effects", "/workflows", "/login"])
def test_pages_fit_a_phone(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent, path: str
) -> None:
    """390 pixels wide, nothing sticks out, however long the texts."""
    agent.fail("x" * 2_000, agentId="y" * 500, workflowName="z" * 500, caseId="c", runId="r")
    explorer.set_viewport_size({"width": 390, "height": 844})
    go(explorer, platform, path)
    assert 390 >= explorer.evaluate("document.documentElement.scrollWidth")
    open_effect(explorer, platform, agent)
    assert 390 >= explorer.evaluate("document.documentElement.scrollWidth")
    go(explorer, platform, "/workflow?name=" + "z" * 500)
    assert 390 >= explorer.evaluate("document.documentElement.scrollWidth")


def test_the_keyboard_reaches_everything(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent
) -> None:
    """The first stop skips to the content; a row's key is one stop, Enter opens it, and where one
    is can be seen.
    """
    agent.lease("k")
    go(explorer, platform, f"/effects?namespace={agent.namespace}")
    explorer.keyboard.press("Tab")
    assert "To the content" == explorer.evaluate("document.activeElement.innerText")
    for _ in range(40):
        explorer.keyboard.press("Tab")
        if "k" == explorer.evaluate("document.activeElement.innerText"):
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert "solid" == explorer.evaluate(outline)
    explorer.keyboard.press("Enter")
    explorer.wait_for_url("**/effects/eff_*")


def contrast(page: Any, selector: str) -> float:
    """Of an element's text to what is behind it, as WCAG 2 counts it."""
    return float(
        page.evaluate(
            """selector => {
              const element = document.querySelector(selector);
              const parts = text => text.match(/[\\d.]+/g).map(Number);
              let behind = element;
              while (parts(getComputedStyle(behind).backgroundColor)[3] === 0)
                behind = behind.parentElement;
              const light = text => {
                const [r, g, b] = parts(text).map(c => c / 255).map(
                  c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const pair = [light(getComputedStyle(element).color),
                            light(getComputedStyle(behind).backgroundColor)].sort((a, b) => a - b);
              return (pair[1] + 0.05) / (pair[0] + 0.05);
            }""",
            selector,
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_by_day_and_night(
    explorer: Any, platform: EmbeddedPlatform, agent: Agent, scheme: str
) -> None:
    """4.5 : 1 at least, of the states and of what is soft."""
    agent.fail("k")
    explorer.emulate_media(color_scheme=scheme)
    go(explorer, platform, "/")
    states = ["running", "expired", "failed", "reset", "committed"]
    found = {state: contrast(explorer, f".state.{state}") for state in states}
    found |= {name: contrast(explorer, name) for name in (".hint", "th", "td.key a", ".brand")}
    assert {} == {name: ratio for name, ratio in found.items() if ratio < 4.5}
