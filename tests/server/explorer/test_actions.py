"""What an operator does to one effect, or to all that a filter finds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from starlette.applications import Starlette

from quatrain.server.explorer import bulk
from quatrain.server.keys import Scope
from quatrain.server.ledger import Status
from tests.server._support import ServerClock, granted, trail

from .conftest import Browser, browser_of, hidden, words

REASON = "looked at the bank"


async def path_of(browser: Browser, key: str = "k") -> str:
    return f"/effects/eff_{(await browser.ledger.get(browser.effect(key))).id:012x}"


async def failed(browser: Browser, key: str = "k") -> None:
    holder, _ = await granted(browser.ledger, browser.effect(key), agent_id="ann")
    await browser.ledger.fail(holder, error='"no"')


async def expired(browser: Browser, clock: ServerClock, *keys: str) -> None:
    for key in keys or ("k",):
        await granted(browser.ledger, browser.effect(key), lease_duration_ms=5_000)
    clock.advance(5_000)


async def status(browser: Browser, key: str = "k") -> Status:
    return (await browser.ledger.get(browser.effect(key))).status


async def detail(browser: Browser, key: str = "k") -> Any:
    """Of the newest line of the trail."""
    page = await browser.ledger.events(browser.effect(key), limit=200)
    return json.loads(page.items[-1].detail or "null")


# -- one ------------------------------------------------------------------------------------------


async def test_a_failed_effect_is_reset(browser: Browser) -> None:
    """Under the name of the key that signed in, with the reason; then its page is shown."""
    await failed(browser)
    path = await path_of(browser)
    answer = await browser.post(f"{path}/reset", reason=REASON, fence="1")
    assert (303, f"/explorer{path}") == (answer.status_code, answer.headers["location"])
    assert Status.RESET == await status(browser)
    assert {"reason": REASON, "by": "ops"} == await detail(browser)


@pytest.mark.parametrize(
    ("typed", "result"),
    [('{"id": 7}', '{"id":7}'), ("", "null"), (' "é" ', '"\\u00e9"'), ("0.5", "0.5")],
)
async def test_an_uncertain_effect_is_resolved_as_done(
    browser: Browser, clock: ServerClock, typed: str, result: str
) -> None:
    """With the result that later leases get."""
    await expired(browser, clock)
    path = await path_of(browser)
    fields = {"outcome": "done", "result": typed, "reason": REASON, "fence": "1"}
    assert 303 == (await browser.post(f"{path}/resolve", **fields)).status_code
    found = await browser.ledger.get(browser.effect())
    assert (Status.COMMITTED, result) == (found.status, found.result)


async def test_an_uncertain_effect_is_resolved_as_not_done(
    browser: Browser, clock: ServerClock
) -> None:
    """Whatever stands in the field for the result."""
    await expired(browser, clock)
    path = await path_of(browser)
    fields = {"outcome": "not_done", "result": "{", "reason": REASON, "fence": "1"}
    assert 303 == (await browser.post(f"{path}/resolve", **fields)).status_code
    assert ("RESOLVED_NOT_DONE", 1) == (await trail(browser.ledger, browser.effect()))[-1]


async def test_a_lease_is_released(browser: Browser) -> None:
    """Its effect is uncertain then."""
    await granted(browser.ledger, browser.effect())
    path = await path_of(browser)
    assert 303 == (await browser.post(f"{path}/release", reason=REASON, fence="1")).status_code
    assert Status.EXPIRED == await status(browser)


@pytest.mark.parametrize(
    ("state", "forms"),
    [("held", ["release"]), ("expired", ["resolve", "reset"]), ("failed", ["reset"])],
)
async def test_only_what_is_possible_is_offered(
    browser: Browser, clock: ServerClock, state: str, forms: list[str]
) -> None:
    """A form for each action that the state allows."""
    if state == "failed":
        await failed(browser)
    elif state == "expired":
        await expired(browser, clock)
    else:
        await granted(browser.ledger, browser.effect())
    page = await browser.text(await path_of(browser))
    assert forms == re.findall(r'action="[^"]*/effects/eff_\w+/(\w+)"', page)


@pytest.mark.parametrize(
    ("action", "fields", "says"),
    [
        ("reset", {"reason": " "}, "Say why"),
        ("reset", {"reason": "x" * 2_001}, "at most 2,000 characters"),
        ("reset", {"fence": ""}, "which state"),
        ("reset", {"fence": "²"}, "which state"),
        ("resolve", {}, "whether it was done"),
        ("resolve", {"outcome": "perhaps"}, "whether it was done"),
        ("resolve", {"outcome": "done", "result": "{"}, "not JSON"),
        ("resolve", {"outcome": "done", "result": "NaN"}, "not JSON"),
        ("resolve", {"outcome": "done", "result": "[" * 300 + "]" * 300}, "not JSON"),
        ("resolve", {"outcome": "done", "result": '"' + "x" * 65_536 + '"'}, "65,536 bytes"),
    ],
)
async def test_what_is_wrong_is_told_and_what_was_typed_kept(
    browser: Browser, clock: ServerClock, action: str, fields: dict[str, str], says: str
) -> None:
    """Nothing is changed."""
    await expired(browser, clock)
    path = await path_of(browser)
    answer = await browser.post(f"{path}/{action}", **{"reason": "<why>", "fence": "1"} | fields)
    assert 422 == answer.status_code
    assert says in words(answer.text)
    if "reason" not in fields:
        assert 'value="&lt;why&gt;"' in answer.text
    assert Status.EXPIRED == await status(browser)


async def test_what_has_moved_on_is_left_alone(browser: Browser, clock: ServerClock) -> None:
    """The operator had looked at the attempt before: 409, on the page of what it is now."""
    await expired(browser, clock)
    path = await path_of(browser)
    await expired(browser, clock)
    answer = await browser.post(f"{path}/reset", reason=REASON, fence="1")
    assert 409 == answer.status_code
    assert "Nothing was changed: the effect has moved on" in words(answer.text)
    assert Status.EXPIRED == await status(browser)


async def test_what_its_state_forbids_is_told(browser: Browser) -> None:
    """409."""
    await granted(browser.ledger, browser.effect())
    path = await path_of(browser)
    answer = await browser.post(f"{path}/reset", reason=REASON, fence="1")
    assert 409 == answer.status_code
    assert "the effect is RUNNING" in words(answer.text)


@pytest.mark.parametrize("path", ["/effects/eff_00000000ffff/reset", "/effects/x/release"])
async def test_effects_that_there_are_not(browser: Browser, path: str) -> None:
    """404."""
    assert 404 == (await browser.post(path, reason=REASON, fence="1")).status_code


async def test_other_actions_there_are_not(browser: Browser) -> None:
    """404, and 405 for a look at one."""
    await failed(browser)
    path = await path_of(browser)
    assert 404 == (await browser.post(f"{path}/delete", reason=REASON, fence="1")).status_code
    assert 405 == (await browser.get(f"{path}/reset")).status_code


async def test_who_may_only_look_changes_nothing(app: Starlette, browser: Browser) -> None:
    """403, with a right token and everything; no page offers it."""
    await failed(browser)
    path = await path_of(browser)
    reader = browser_of(app, scopes=[Scope.READ])
    await reader.login()
    page = await reader.text(path)
    assert 1 == page.count("<form")
    token = hidden(page, "form_token")
    bulk_fields = {"action": "reset", "state": "FAILED", "counted": "1-1"}
    for target, fields in ((f"{path}/reset", {"fence": "1"}), ("/bulk", bulk_fields)):
        answer = await reader.send(target, form_token=token, reason=REASON, **fields)
        assert (403, True) == (answer.status_code, "may only look" in answer.text)
    assert 403 == (await reader.get("/bulk?action=reset&state=FAILED")).status_code
    assert "all of these" not in await reader.text("/effects?state=FAILED")
    assert Status.FAILED == await status(browser)
    await reader.http.aclose()


@pytest.mark.parametrize("target", ["/effects/eff_000000000001/reset", "/bulk"])
async def test_without_the_token_nothing_is_changed(browser: Browser, target: str) -> None:
    """403."""
    await failed(browser)
    fields = {"action": "reset", "state": "FAILED", "counted": "1-1", "fence": "1"}
    assert 403 == (await browser.send(target, reason=REASON, **fields)).status_code
    assert Status.FAILED == await status(browser)


async def test_another_realms_effects_are_out_of_reach(app: Starlette, browser: Browser) -> None:
    """As if they were not there."""
    await failed(browser)
    path = await path_of(browser)
    other = browser_of(app, tenant="other")
    await other.login()
    assert 404 == (await other.get(path)).status_code
    assert 404 == (await other.post(f"{path}/reset", reason=REASON, fence="1")).status_code
    fields = {"action": "reset", "state": "FAILED", "counted": "1-1"}
    answer = await other.post("/bulk", reason=REASON, **fields)
    assert "Reset: 0" in words(answer.text)
    assert Status.FAILED == await status(browser)
    await other.http.aclose()


# -- all that a filter finds ----------------------------------------------------------------------


async def test_a_filter_is_reset_after_a_count(browser: Browser) -> None:
    """The count changes nothing; what fails after it is left alone."""
    for key in ("a1", "a2", "b1"):
        await failed(browser, key)
    assert "Reset all of these…" in await browser.text("/effects?state=FAILED&key=a")
    page = await browser.text("/bulk?action=reset&state=FAILED&key=a")
    assert "Reset 2 effects Nothing has been changed yet." in words(page)
    assert Status.FAILED == await status(browser, "a1")
    await failed(browser, "a3")
    fields = {name: hidden(page, name) for name in ("action", "counted", "state", "key")}
    answer = await browser.post("/bulk", reason=REASON, **fields)
    assert "Reset: 2" in words(answer.text)
    found = {key: await status(browser, key) for key in ("a1", "a2", "a3", "b1")}
    assert {"a1": "RESET", "a2": "RESET", "a3": "FAILED", "b1": "FAILED"} == found
    assert {"reason": REASON, "by": "ops"} == await detail(browser, "a1")


async def test_what_was_settled_since_the_count_is_left_alone(
    browser: Browser, clock: ServerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between the search and the change, and when its state is the same once more."""
    await expired(browser, clock, "a", "b")
    matching = bulk._matching

    async def and_then(*args: Any) -> Any:
        found = await matching(*args)
        await expired(browser, clock, "a")
        return found

    monkeypatch.setattr(bulk, "_matching", and_then)
    fields = {"action": "resolve", "state": "EXPIRED", "counted": "1-1.2-1", "outcome": "not_done"}
    answer = await browser.post("/bulk", reason=REASON, **fields)
    assert "Resolved: 1 1 had moved on in the meantime and was left alone." in words(answer.text)
    assert [Status.EXPIRED, Status.RESET] == [await status(browser, key) for key in ("a", "b")]


async def test_what_comes_to_match_after_the_count_is_left_alone(
    browser: Browser, clock: ServerClock
) -> None:
    """However old it is: nobody has looked whether it was done."""
    await granted(browser.ledger, browser.effect("slow"), lease_duration_ms=20_000)
    await expired(browser, clock, "known")
    page = await browser.text("/bulk?action=resolve&state=EXPIRED")
    assert "Resolve 1 effect Nothing has been changed yet." in words(page)
    clock.advance(20_000)
    fields = {name: hidden(page, name) for name in ("action", "state", "counted")}
    answer = await browser.post("/bulk", reason=REASON, outcome="done", **fields)
    assert "Resolved: 1 Back to the list" in words(answer.text)
    assert Status.COMMITTED == await status(browser, "known")
    assert Status.EXPIRED == await status(browser, "slow")


async def test_more_than_fits_is_done_in_parts(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest first, and a way to go on."""
    monkeypatch.setattr(bulk, "MOST", 2)
    for key in "abc":
        await failed(browser, key)
    page = await browser.text("/bulk?action=reset&state=FAILED")
    assert "The newest 2 come first" in words(page)
    fields = {"action": "reset", "state": "FAILED", "counted": hidden(page, "counted")}
    answer = await browser.post("/bulk", reason=REASON, **fields)
    assert "Reset: 2 There may be more: go on" in words(answer.text)
    assert Status.FAILED == await status(browser, "a")


@pytest.mark.parametrize(
    "query",
    [
        "action=reset",
        "action=reset&state=COMMITTED",
        "action=release&state=FAILED",
        "action=resolve&state=RUNNING",
        "action=delete&state=FAILED",
        "state=FAILED",
        "action=reset&state=X",
    ],
)
async def test_what_does_not_go_together_is_told(browser: Browser, query: str) -> None:
    """400, before anything is counted or changed."""
    assert 400 == (await browser.get(f"/bulk?{query}")).status_code
    fields = dict(part.split("=") for part in query.split("&"))
    answer = await browser.post("/bulk", reason=REASON, counted="1-1", **fields)
    assert 400 == answer.status_code


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        ({"counted": "1-1"}, 422, "Say why"),
        ({"counted": "1-1", "reason": REASON}, 422, "whether it was done"),
        ({"reason": REASON}, 400, "what was counted"),
        ({"counted": "", "reason": REASON}, 400, "what was counted"),
        ({"counted": "1", "reason": REASON}, 400, "what was counted"),
    ],
)
async def test_a_bulk_form_that_is_wrong(
    browser: Browser, clock: ServerClock, fields: dict[str, str], code: int, says: str
) -> None:
    """Nothing is changed."""
    await expired(browser, clock)
    answer = await browser.post("/bulk", action="resolve", state="EXPIRED", **fields)
    assert (code, True) == (answer.status_code, says in words(answer.text))
    assert Status.EXPIRED == await status(browser)
