"""The list and the page of an effect."""

from __future__ import annotations

import re
import sqlite3
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from quatrain.server.explorer import effects, queries
from quatrain.server.explorer.filters import Wanted
from quatrain.server.ledger import Status
from quatrain.server.store import PostgresURL
from tests._require import import_for
from tests.server._support import START, ServerClock, granted

from .conftest import Browser, words

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "a\u202eb\x00\x1b[2J\u2028",
    "&lt;b&gt; &amp;",
    "../../login?then=",
    "😀 ünïcode ﷽",
]


def kept(text: str, database: Path | PostgresURL) -> str:
    """As much of *text* as the database takes."""
    return text.replace("\0", "") if isinstance(database, PostgresURL) else text


async def keys(browser: Browser, query: str = "") -> list[str]:
    """The keys that a list shows, in its order."""
    page = await browser.text(f"/effects{query}")
    return [unescape(key) for key in re.findall(r'class="key"><a [^>]*><bdi>([^<]*)<', page)]


async def make(browser: Browser, key: str, **options: Any) -> Any:
    holder, _ = await granted(browser.ledger, browser.effect(key), **options)
    return holder


async def id_of(browser: Browser, key: str = "k") -> str:
    return f"eff_{(await browser.ledger.get(browser.effect(key))).id:012x}"


# -- the list -------------------------------------------------------------------------------------


async def test_an_empty_ledger_says_so(browser: Browser) -> None:
    """And what would change that."""
    assert "There are no effects yet." in words(await browser.text("/effects"))
    assert "No effect is like that." in words(await browser.text("/effects?state=FAILED"))


async def test_effects_are_listed_newest_first(browser: Browser) -> None:
    """Each with its state, and a link to its page."""
    for key in ("a", "b"):
        await make(browser, key, agent_id="ann")
    assert ["b", "a"] == await keys(browser)
    page = await browser.text("/effects")
    assert f'href="/explorer/effects/{await id_of(browser, "b")}"' in page
    assert "running b ns – ann 1 0 ms ago" in words(page)


async def test_filters_stand_in_the_address(browser: Browser, clock: ServerClock) -> None:
    """Each alone, and together; the form shows what is asked for."""
    done = await make(browser, "done", workflow_name="w", case_id="c", agent_id="ann")
    await browser.ledger.commit(done, result="1")
    failed = await make(browser, "bad%_key", workflow_name="w", agent_id="bob")
    await browser.ledger.fail(failed, error="1")
    await make(browser, "expired", lease_duration_ms=5_000, case_id="c")
    clock.advance(5_000)
    await make(browser, "held", agent_id="ann")
    await browser.ledger.lease(browser.effect("far", namespace="other"))
    expected = {
        "": ["far", "held", "expired", "bad%_key", "done"],
        "state=RUNNING": ["far", "held"],
        "state=EXPIRED": ["expired"],
        "state=FAILED": ["bad%_key"],
        "state=COMMITTED": ["done"],
        "state=RESET": [],
        "namespace=other": ["far"],
        "workflow=w": ["bad%_key", "done"],
        "case=c": ["expired", "done"],
        "agent=ann": ["held", "done"],
        "key=e": ["held", "expired", "bad%_key", "done"],
        "key=%25_": ["bad%_key"],
        "key=E": [],
        "state=FAILED&workflow=w&agent=bob&namespace=ns&key=bad": ["bad%_key"],
        "state=EXPIRED&case=c": ["expired"],
        "state=COMMITTED&case=c&workflow=w&namespace=ns": ["done"],
        "state=&namespace=&key=": ["far", "held", "expired", "bad%_key", "done"],
    }
    assert expected == {query: await keys(browser, f"?{query}") for query in expected}
    page = await browser.text("/effects?state=FAILED&namespace=a%22b")
    assert '<option value="FAILED" selected>' in page
    assert 'name="namespace" value="a&#34;b"' in page


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        ("newer-1h", ["5", "4"]),
        ("newer-1d", ["5", "4", "3", "2"]),
        ("older-10min", ["4", "3", "2", "1", "0"]),
        ("older-1h", ["3", "2", "1", "0"]),
        ("older-1d", ["1", "0"]),
        ("older-7d", []),
    ],
)
async def test_ages_are_since_the_first_lease(
    browser: Browser, clock: ServerClock, age: str, expected: list[str]
) -> None:
    """Found by halving the ids, between which other tenants' lie."""
    hour = 3_600_000
    for number, pause in enumerate([hour, 23 * hour, hour, 22 * hour, hour // 2, 0]):
        await make(browser, str(number))
        await browser.ledger.lease(browser.effect("other", namespace=str(number)))
        clock.advance(pause)
    await browser.login()  # two days have gone by
    found = [key for key in await keys(browser, f"?age={age}") if key != "other"]
    assert expected == found


@pytest.mark.parametrize("query", ["state=NONE", "age=1h", "state=%00"])
async def test_a_filter_that_there_is_not_is_told(browser: Browser, query: str) -> None:
    """400, with the list of all."""
    answer = await browser.get(f"/effects?{query}")
    assert 400 == answer.status_code
    assert "All effects are shown." in words(answer.text)


@pytest.mark.parametrize(
    "query", ["a=%ff", "state=FAILED&state=RESET", "&".join("abcdefghijklmnopqrstuvw")]
)
async def test_an_address_that_is_none_is_told(browser: Browser, query: str) -> None:
    """400, and a page."""
    answer = await browser.get(f"/effects?{query}")
    assert (400, True) == (answer.status_code, "no address of ours" in answer.text)


async def test_a_long_list_goes_on(browser: Browser) -> None:
    """By a link, which a script follows by itself; nothing is shown twice or left out."""
    for number in range(effects.PER_PAGE + 3):
        await make(browser, str(number), agent_id="a&b")
    page = await browser.text("/effects?agent=a%26b")
    link = unescape(re.search(r'<a href="/explorer(/effects\?[^"]*before=\d+)"', page)[1])  # type: ignore[index]
    await make(browser, "newer", agent_id="a&b")
    first = [str(number) for number in reversed(range(3, effects.PER_PAGE + 3))]
    assert first == re.findall(r"<bdi>(\d+)</bdi></a>", page)
    assert ["2", "1", "0"] == await keys(browser, link.removeprefix("/effects"))
    rows = await browser.get(link, **{"hx-request": "true"})
    assert rows.text.lstrip().startswith("<tr>")
    assert "before=" not in rows.text


async def test_a_list_tells_of_newer_ones(browser: Browser) -> None:
    """Only of those that the filter finds, and only once there are some."""
    await make(browser, "a", agent_id="ann")
    page = await browser.text("/effects?agent=ann")
    link = watched(page)
    await make(browser, "b", agent_id="bob")
    assert "" == (await browser.text(link)).strip()
    await make(browser, "c", agent_id="ann")
    assert "There are new ones. Show them" in words(await browser.text(link))
    for wrong in ("state=x", "seen=x", "seen=1..2", "seen=-1"):
        assert 400 == (await browser.get(f"/newer?{wrong}")).status_code


def watched(page: str) -> str:
    """What the script asks for that watches a list."""
    return unescape(re.search(r'hx-get="/explorer(/newer[^"]*)"', page)[1])  # type: ignore[index]


async def test_a_list_tells_of_what_came_into_it_late(browser: Browser) -> None:
    """An effect that began first may fail last."""
    first, second = await make(browser, "first"), await make(browser, "second")
    await browser.ledger.fail(second, error="1")
    link = watched(await browser.text("/effects?state=FAILED"))
    assert "" == (await browser.text(link)).strip()
    await browser.ledger.fail(first, error="1")
    assert "There are new ones." in words(await browser.text(link))


async def test_a_full_list_is_not_told_of_what_is_below_it(browser: Browser) -> None:
    """As when one of its rows has left it, and the next page's first has moved up."""
    held = [await make(browser, str(number)) for number in range(effects.PER_PAGE + 2)]
    link = watched(await browser.text("/effects?state=RUNNING"))
    assert "" == (await browser.text(link)).strip()
    await browser.ledger.commit(held[-1], result="1")
    assert "" == (await browser.text(link)).strip()
    await make(browser, "new")
    assert "There are new ones." in words(await browser.text(link))


async def test_a_list_misses_nothing_that_becomes_visible_late(
    browser: Browser, database: Path | PostgresURL
) -> None:
    """On PostgreSQL, where another replica's transaction may have taken the lower id."""
    if isinstance(database, Path):
        pytest.skip("SQLite's transactions do not overlap")
    psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
    await make(browser, "before")
    with psycopg.connect(database.secret.reveal()) as replica:
        replica.execute(
            "INSERT INTO effects (realm_id, namespace, effect_key, status, fence_token,"
            " lease_token_hash, lease_duration_ms, created_at, updated_at)"
            " VALUES (%s, 'ns', 'late', 'COMMITTED', 1, 'x', 1, %s, %s)",
            [browser.realm_id, START, START],
        )
        await make(browser, "quick")
        page = await browser.text("/effects")
        assert "" == (await browser.text(watched(page))).strip()
        replica.commit()
    assert "There are new ones." in words(await browser.text(watched(page)))
    assert ["quick", "late", "before"] == await keys(browser)


def test_a_search_ends_after_so_many_rows(store: Any, realm: int, clock: ServerClock) -> None:
    """And goes on where it ended, until it has been through all."""

    def fill(connection: sqlite3.Connection, _now: int, _: None) -> None:
        for number in range(100):
            connection.execute(
                "INSERT INTO effects (realm_id, namespace, effect_key, status, fence_token,"
                " lease_token_hash, lease_duration_ms, agent_id, created_at, updated_at)"
                " VALUES (?, 'ns', ?, 'COMMITTED', 1, ?, 1, ?, ?, ?)",
                (realm, str(number), b"0", "rare" if number in {7, 50} else "a", START, START),
            )

    store.write_blocking(fill, None)
    found, steps, before = [], 0, None
    while True:
        params = {
            "realm_id": realm,
            "wanted": Wanted(agent="rare"),
            "before": before,
            "limit": 10,
            "payloads": False,
            "scan": 30,
        }
        part = store.read_blocking(queries.part, params)
        found += [item.effect_key for item in part.items]
        steps += 1
        if part.next is None:
            break
        assert part.searched
        before = part.next
    assert (["50", "7"], 4) == (found, steps)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "effects_newest"),
        ({"agent": "a", "key": "k"}, "effects_newest"),
        ({"state": Status.COMMITTED}, "effects_newest"),
        ({"state": Status.FAILED, "namespace": "n", "workflow": "w"}, "effects_failed"),
        ({"state": Status.EXPIRED, "namespace": "n"}, "effects_running"),
        ({"state": Status.RUNNING}, "effects_running"),
        ({"state": Status.RESET}, "effects_reset"),
        ({"namespace": "n", "state": Status.COMMITTED}, "effects_of_namespace"),
        ({"workflow": "w", "namespace": "n"}, "effects_of_workflow"),
        ({"case": "c", "workflow": "w", "state": Status.FAILED}, "effects_of_case"),
        ({"age": "older-1h", "namespace": "n"}, "effects_of_namespace"),
    ],
)
@pytest.mark.on_file
def test_every_filter_has_an_index_in_its_order(
    store: Any, realm: int, asked: dict[str, Any], index: str
) -> None:
    """Both how far a search goes and what it finds; nothing is sorted."""
    plans: list[str] = []

    class Explained:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self.connection = connection

        def execute(self, statement: str, values: dict[str, Any]) -> Any:
            if "OFFSET" in statement or "AND id >= :floor" in statement:
                rows = self.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
                plans.extend(detail for *_, detail in rows)
            return self.connection.execute(statement, values)

    def explain(connection: sqlite3.Connection, now: int, _: None) -> None:
        explained: Any = Explained(connection)
        params = {"realm_id": realm, "wanted": Wanted(**asked), "before": 9, "limit": 5}
        queries.part(explained, now, {**params, "payloads": True})

    store.read_blocking(explain, None)
    assert 2 == len(plans)
    for plan in plans:
        assert re.match(rf"SEARCH effects USING (COVERING )?INDEX {index} \(", plan), plan


# -- the page of one ------------------------------------------------------------------------------


async def test_a_page_tells_all_of_an_effect(browser: Browser, clock: ServerClock) -> None:
    """Its state and why, its attempts, payloads and trail."""
    holder = await make(
        browser, "k", agent_id="ann", run_id="r1", case_id="c", input_json='{"a":1}'
    )
    await browser.ledger.renew(holder)
    clock.advance(2_000)
    await browser.ledger.fail(holder, error='{"name":"TimeoutError","message":"no answer"}')
    await browser.ledger.reset(browser.effect(), reason="mended", by="eve")
    holder = await make(browser, "k", agent_id="bob")
    clock.advance(1_000)
    await browser.ledger.fail(holder, error='{"name":"ValueError","message":"again"}')
    page = words(await browser.text(f"/effects/{await id_of(browser)}"))
    assert "failed Failed 0 ms ago: ValueError: again." in page
    assert "2 bob 1 s ago 1 s – 0 failed: ValueError: again" in page
    assert "1 ann 3 s ago 2 s – 1 failed: TimeoutError: no answer" in page
    assert "RESET 1 – – reason mended by eve" in page
    assert '"a": 1' in page


async def test_live_parts_come_without_forms(browser: Browser) -> None:
    """What is being typed is not taken away."""
    await make(browser, "k")
    path = f"/effects/{await id_of(browser)}"
    part = await browser.get(path, **{"hx-request": "true"})
    assert "<form" not in part.text
    assert "It is not stuck" in part.text
    assert "<form" in await browser.text(path)


@pytest.mark.parametrize(
    "name", ["eff_", "eff_00000000002a", "eff_ffffffffffffffff", "x", "eff_0", quote("<b>")]
)
async def test_effects_that_there_are_not(browser: Browser, name: str) -> None:
    """404, and a page."""
    answer = await browser.get(f"/effects/{name}")
    assert (404, True) == (answer.status_code, "There is no such effect" in answer.text)


@pytest.mark.parametrize("text", HOSTILE)
async def test_text_of_others_is_shown_and_not_obeyed(
    browser: Browser, database: Path | PostgresURL, text: str
) -> None:
    """On the list and on the page, wherever agents write."""
    text = kept(text, database)
    holder = await make(
        browser,
        text,
        agent_id=text,
        effect_name=text,
        workflow_name=text,
        case_id=text,
        run_id=text,
        input_json='{"<script>alert(2)</script>":"</pre><script>"}',
    )
    await browser.ledger.fail(
        holder, error='{"name":"<script>alert(3)</script>","message":"</bdi><script>"}'
    )
    await browser.ledger.reset(browser.effect(text), reason=text, by=text)
    path = f"/effects/{await id_of(browser, text)}"
    for whole in (await browser.text(f"/effects?key={quote(text)}"), await browser.text(path)):
        # a field holds what was typed into it, exactly
        page = re.sub(r'(<input [^>]*value=)"[^"]*"', r"\1", whole)
        assert 1 == page.count("<script")
        for mark in ("<img", "<b>", "\u202e", "\x00", "\x1b", "\u2028", "49</bdi>"):
            assert mark not in page
        marks = re.sub(r'"[^"]*"', "", "".join(re.findall(r"<[a-z][^>]*>", page)))
        assert "alert(" not in marks


async def test_long_texts_are_cut(browser: Browser) -> None:
    """A key of 16,384 characters leaves the list readable."""
    await make(browser, "x" * 16_384, input_json='"' + "y" * 60_000 + '"')
    page = await browser.text("/effects")
    assert "x" * 101 not in page
    page = await browser.text(f"/effects/{await id_of(browser, 'x' * 16_384)}")
    assert "60,002 characters in all" in page
