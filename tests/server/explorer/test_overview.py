"""The overview, workflows, and exports."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from quatrain.server.explorer import dashboard, queries, workflows
from quatrain.server.ledger import Status
from quatrain.server.store import PostgresURL
from quatrain.server.store import queries as sql
from tests.server._support import START, ServerClock, granted

from .conftest import Browser, words
from .test_effects import HOSTILE, kept


async def some(browser: Browser, clock: ServerClock) -> None:
    """One in every state, begun an hour apart."""
    for number, end in enumerate(["commit", "fail", "reset", "expire", "hold"]):
        options = {"workflow_name": "w", "case_id": f"c{number % 2}", "run_id": f"r{number % 3}"}
        holder, _ = await granted(browser.ledger, browser.effect(end), agent_id="ann", **options)
        if end == "commit":
            await browser.ledger.commit(holder, result="1")
        elif end in {"fail", "reset"}:
            await browser.ledger.fail(holder, error="1")
        if end == "reset":
            await browser.ledger.reset(holder.effect, reason="r", by="eve")
        if end != "hold":
            clock.advance(3_600_000)


async def test_an_empty_ledger_has_an_overview(browser: Browser) -> None:
    """With nothing in it."""
    page = words(await browser.text("/"))
    assert "Nothing runs." in page
    assert "Nothing has happened lately." in page
    assert "– of the settled failed" in page


async def test_the_overview_counts_by_state(browser: Browser, clock: ServerClock) -> None:
    """And tells the failure rate, what runs longest and what happened last."""
    await some(browser, clock)
    page = words(await browser.text("/"))
    for expected in (
        "1 running",
        "1 expired",
        "1 failed",
        "1 reset",
        "1 committed",
        "50.0 % of the settled failed",
        "expired expire ann 1 h ago running hold ann 0 ms ago",
        "0 ms ago lease granted hold ann",
    ):
        assert expected in page
    part = await browser.get("/", **{"hx-request": "true"})
    assert "<html" not in part.text


def test_counting_ends(store, realm: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that nobody needs exactly is not counted to its end."""
    monkeypatch.setattr(dashboard, "MOST", 2)

    def fill(connection, _now: int, _: None) -> None:
        for number in range(5):
            connection.execute(
                "INSERT INTO effects (realm_id, namespace, effect_key, status, fence_token,"
                " lease_token_hash, lease_duration_ms, created_at, updated_at)"
                " VALUES (?, 'ns', ?, 'FAILED', 1, ?, 1, ?, ?)",
                (realm, str(number), b"0", START, START),
            )

    store.write_blocking(fill, None)
    assert 3 == store.read_blocking(dashboard.overview, realm).counts[Status.FAILED]


async def test_the_chart_has_a_bar_for_each_time(browser: Browser, clock: ServerClock) -> None:
    """As many as the day has half hours, and a title on each."""
    await some(browser, clock)
    page = await browser.text("/")
    assert dashboard.BARS == page.count('class="hit"')
    shown = re.findall(r'class="bar (\w+)"', page)
    assert ["committed", "expired", "failed", "reset", "running"] == sorted(shown)
    assert "style=" not in page


async def test_a_busy_ledger_charts_a_shorter_time(
    browser: Browser, clock: ServerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more effects are read than are promised, and the page says how far back they go."""
    monkeypatch.setattr(dashboard, "RECENT", 2)
    await some(browser, clock)
    page = words(await browser.text("/"))
    assert "Effects begun, the last 1 h" in page


@pytest.mark.on_file
def test_activity_is_found_from_the_end_of_the_trail(store, realm: int) -> None:
    """However many effects there are, each line looks up its own."""

    def explain(connection, _now: int, _: None) -> list[str]:
        statement = sql.load("explorer")["activity"]
        values = {"realm_id": realm, "reach": 2_000, "limit": 12}
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]

    plan = store.read_blocking(explain, None)
    assert "SEARCH effects USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert not [step for step in plan if "realm_id=?" in step]


async def test_other_realms_are_not_counted(browser: Browser, store, app) -> None:
    """Neither their effects nor what happens to them."""
    from .conftest import browser_of

    other = browser_of(app, tenant="other")
    await granted(other.ledger, other.effect("theirs"))
    page = words(await browser.text("/"))
    assert "theirs" not in page
    assert "0 running" in page
    assert "theirs" not in await browser.text("/export.jsonl")
    await other.http.aclose()


# -- workflows ------------------------------------------------------------------------------------


async def test_workflows_are_listed(browser: Browser, clock: ServerClock) -> None:
    """With what became of their effects."""
    assert "is of a workflow" in words(await browser.text("/workflows"))
    await some(browser, clock)
    assert "w 5 1 1 1 0 ms ago" in words(await browser.text("/workflows"))


async def test_a_workflow_is_a_grid(browser: Browser, clock: ServerClock) -> None:
    """Cases down, runs across, the newest first; each effect in one cell."""
    await some(browser, clock)
    page = words(await browser.text("/workflow?name=w"))
    assert "Case r1 r0 r2 c0 ▸ hold running ✓ commit committed ↺ reset reset c1" in page
    assert "There is more" not in page


async def test_an_effect_stands_under_its_last_run(browser: Browser, clock: ServerClock) -> None:
    """Alone, and the page says so: its own page tells of the others."""
    options = {"workflow_name": "w", "case_id": "c", "lease_duration_ms": 5_000}
    for run in ("r1", "r2"):
        await granted(browser.ledger, browser.effect("twice"), run_id=run, **options)
        clock.advance(5_000)
    page = words(await browser.text("/workflow?name=w"))
    assert "An effect stands under the run that tried it last." in page
    assert "Case r2 c ? twice expired" in page


def test_a_grid_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """To so many cases and runs; and it says so."""
    monkeypatch.setattr(workflows, "MOST_RUNS", 1)
    assert ([], [], False) == (
        workflows.grid([], more=False).runs,
        workflows.grid([], more=False).rows,
        workflows.grid([], more=False).cut,
    )
    assert workflows.grid([], more=True).cut


@pytest.mark.parametrize("query", ["", "?name=", "?name=none"])
async def test_workflows_that_there_are_not(browser: Browser, query: str) -> None:
    """404."""
    assert 404 == (await browser.get(f"/workflow{query}")).status_code


@pytest.mark.parametrize("text", HOSTILE)
async def test_text_of_others_is_shown_everywhere(
    browser: Browser, database: Path | PostgresURL, text: str
) -> None:
    """On the overview, in the list of workflows and in the grid."""
    text = kept(text, database)
    options = {"workflow_name": text, "case_id": text, "run_id": text, "agent_id": text}
    await granted(browser.ledger, browser.effect(text), effect_name=text, **options)
    listed = await browser.text("/workflows")
    (link,) = re.findall(r'href="/explorer(/workflow\?[^"]*)"', listed)
    for page in (listed, await browser.text("/"), await browser.text(link)):
        assert 1 == page.count("<script")
        for mark in ("<img", "\u202e", "\x00", "\x1b", "\u2028", "49</bdi>"):
            assert mark not in page
        marks = re.sub(r'"[^"]*"', "", "".join(re.findall(r"<[a-z][^>]*>", page)))
        assert "alert(" not in marks


# -- exports --------------------------------------------------------------------------------------


async def test_json_lines_hold_everything(
    browser: Browser, clock: ServerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the filter finds, with payloads, over several reads."""
    monkeypatch.setattr("quatrain.server.explorer.export._PER_READ", 2)
    await some(browser, clock)
    answer = await browser.get("/export.jsonl")
    assert 'attachment; filename="effects.jsonl"' == answer.headers["content-disposition"]
    rows = [json.loads(row) for row in answer.text.splitlines()]
    assert ["hold", "expire", "reset", "fail", "commit"] == [row["effectKey"] for row in rows]
    assert (1, "COMMITTED") == (rows[-1]["result"], rows[-1]["status"])
    answer = await browser.get("/export.jsonl?state=FAILED")
    assert ["fail"] == [json.loads(row)["effectKey"] for row in answer.text.splitlines()]


async def test_tables_run_no_formulas(browser: Browser) -> None:
    """Text that a spreadsheet would run gets a ' in front."""
    for key in ("=1+1", "+1", "-1", "@x", 'plain,\n"x"'):
        await granted(browser.ledger, browser.effect(key), agent_id="=cmd()")
    rows = list(csv.reader(io.StringIO((await browser.get("/export.csv")).text)))
    assert ("namespace", "effectKey") == tuple(rows[0][:2])
    expected = ['plain,\n"x"', "'@x", "'-1", "'+1", "'=1+1"]
    assert expected == [row[1] for row in rows[1:]]
    assert {"'=cmd()"} == {row[7] for row in rows[1:]}


@pytest.mark.parametrize("path", ["/export.csv", "/export.jsonl"])
async def test_an_export_that_can_not_be_is_told(browser: Browser, path: str) -> None:
    """Before anything is sent."""
    assert 400 == (await browser.get(f"{path}?state=X")).status_code
    assert 400 == (await browser.get(f"{path}?a=%ff")).status_code
    browser.http.cookies.clear()
    assert 303 == (await browser.get(path)).status_code


def test_no_page_reads_more_than_this() -> None:
    """The numbers that the promise of 300 ms was measured with."""
    assert (20_000, 20_000, 10_000) == (queries.SCAN, dashboard.RECENT, dashboard.MOST)
