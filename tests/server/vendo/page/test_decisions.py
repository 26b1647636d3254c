"""A person decides, once: what then is connected, and what the app is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette

from quatrain.server.vendo.page import api, visits

from ..._support import ServerClock
from ._visitor import Visitor, answer_in, rows

KEY = "sk-proj-0123456789abcdef"
CONNECTIONS = "SELECT tenant, user_id, slug, profile, status FROM vendo_connections ORDER BY id"
EVENTS = "SELECT kind FROM vendo_events ORDER BY id"


async def test_a_pasted_key_connects(platform: Starlette, visitor: Visitor) -> None:
    """For everybody of the tenant, bound to the app that asked, which is told so and gets it."""
    _, form = await visitor.opened(state="mine")

    answer = answer_in(await visitor.submit(form, decision="connect", key=f"  {KEY}\n"))
    token = await visitor.token("openai")

    assert {"state": "mine", "slug": "openai", "status": "connected"} == answer
    assert [("acme", "", "openai", "byok_static", "connected")] == rows(platform, CONNECTIONS)
    assert [("connection.connected",)] == rows(platform, EVENTS)
    assert [(1,)] == rows(platform, "SELECT count(*) FROM vendo_bindings")
    assert KEY == token["access_token"]


async def test_an_approved_grant_connects(platform: Starlette, visitor: Visitor) -> None:
    """The page says that it is simulated, and asks for no key."""
    _, form = await visitor.opened("notion")

    answer = answer_in(await visitor.submit(form, decision="connect"))
    token = await visitor.token("notion")

    assert token["expires_at"] is not None
    assert "Simulated consent." in form.text
    assert {"form_token"} == form.values.keys()
    assert "connected" == answer["status"]
    assert [("acme", "", "notion", "user_oauth", "connected")] == rows(platform, CONNECTIONS)


@pytest.mark.parametrize("slug", ["openai", "gmail"])
async def test_a_denial_connects_nothing(platform: Starlette, visitor: Visitor, slug: str) -> None:
    """The app is told, with its state; what was typed by then does not matter."""
    _, form = await visitor.opened(slug, state="mine")

    answer = answer_in(await visitor.submit(form, decision="deny", key="half a"))

    assert {"state": "mine", "slug": slug, "status": "denied"} == answer
    assert [] == rows(platform, CONNECTIONS)
    assert [] == rows(platform, EVENTS)


async def test_of_two_submits_one_connects(platform: Starlette, visitor: Visitor) -> None:
    """And both lead back: of a double click the browser shows the second answer only."""
    _, form = await visitor.opened()

    answers = await asyncio.gather(
        *(visitor.submit(form, decision="connect", key=KEY) for _ in range(5))
    )

    assert ["connected"] * 5 == [answer_in(answer)["status"] for answer in answers]
    assert [("connection.connected",)] == rows(platform, EVENTS)


async def test_a_decision_stands(platform: Starlette, visitor: Visitor) -> None:
    """Who denied and then approves, in the page that is still open, is told of the denial."""
    _, form = await visitor.opened()
    await visitor.submit(form, decision="deny")

    answer = answer_in(await visitor.submit(form, decision="connect", key=KEY))

    assert "denied" == answer["status"]
    assert [] == rows(platform, CONNECTIONS)


@pytest.mark.parametrize(
    ("decision", "said"), [("connect", "OpenAI is connected"), ("deny", "OpenAI was not connected")]
)
async def test_a_decided_visit_is_shown_as_one(visitor: Visitor, decision: str, said: str) -> None:
    """With the way back to the app, which may have been down: no form, no key."""
    location, form = await visitor.opened(state="mine")
    back = (await visitor.submit(form, decision=decision, key=KEY)).headers["location"]

    page = await visitor.http.get(location)

    assert 200 == page.status_code
    assert said in page.text
    assert f'href="{back.replace("&", "&amp;")}"' in page.text
    assert "<form" not in page.text
    assert KEY not in page.text


@pytest.mark.parametrize(
    ("pasted", "complaint"),
    [
        ("", "Paste the key first."),
        (" \n", "Paste the key first."),
        ("sk two", "A key has no blanks"),
        ("sk\u00e9", "A key has no blanks"),
        ("sk\0", "A key has no blanks"),
        ("sk\u2028x", "A key has no blanks"),
        ("k" * 10_001, "That is longer than 10,000 characters"),
    ],
)
async def test_a_key_that_is_none_is_asked_for_again(
    platform: Starlette, visitor: Visitor, pasted: str, complaint: str
) -> None:
    """The page says why, shows nothing of it, and the visit goes on."""
    _, form = await visitor.opened()

    page = await visitor.submit(form, decision="connect", key=pasted)
    again = await visitor.submit(form, decision="connect", key="k" * 10_000)

    assert 422 == page.status_code
    assert complaint in page.text
    assert 'aria-invalid="true"' in page.text
    assert "<title>Error: " in page.text
    assert "sk" not in page.text.replace("asks", "")
    assert "kkk" not in page.text
    assert "connected" == answer_in(again)["status"]
    assert 1 == len(rows(platform, CONNECTIONS))


async def test_a_visit_lasts_a_quarter_of_an_hour(
    platform: Starlette, visitor: Visitor, clock: ServerClock
) -> None:
    """To the millisecond; what is posted later changes nothing."""
    location, form = await visitor.opened()
    clock.advance(15 * 60 * 1_000 - 1)
    before = await visitor.http.get(location)
    clock.advance(1)

    after = await visitor.http.get(location)
    posted = await visitor.submit(form, decision="connect", key=KEY)

    assert [200, 410, 410] == [before.status_code, after.status_code, posted.status_code]
    assert "This page is no longer valid" in after.text
    assert [] == rows(platform, CONNECTIONS)


async def test_a_decision_that_comes_as_time_runs_out(
    platform: Starlette, visitor: Visitor, clock: ServerClock
) -> None:
    """The transaction decides, not what was shown before it."""
    await visitor.opened()
    ((digest,),) = rows(platform, "SELECT digest FROM vendo_grants")
    clock.advance(15 * 60 * 1_000)

    decided = await platform.state.store.write(
        lambda connection, now, _: visits.decide(connection, now, digest, "denied"), None
    )

    assert isinstance(decided, visits.VisitOverError)
    assert [(None,)] == rows(platform, "SELECT completed_at FROM vendo_grants")


async def test_connecting_again_is_told_before(platform: Starlette, visitor: Visitor) -> None:
    """A new key takes the old one's place."""
    _, first = await visitor.opened()
    await visitor.submit(first, decision="connect", key=KEY)

    _, second = await visitor.opened()
    answer = answer_in(await visitor.submit(second, decision="connect", key="sk-new"))

    assert "is connected already" not in first.text
    assert "is connected already" in second.text
    assert "connected" == answer["status"]
    assert 1 == len(rows(platform, CONNECTIONS))
    assert "sk-new" == (await visitor.token("openai"))["access_token"]
    assert [("connection.connected",), ("connection.changed",)] == rows(platform, EVENTS)


async def test_visits_in_two_tabs_do_not_meet(platform: Starlette, visitor: Visitor) -> None:
    """Of the same integration: each is decided for itself."""
    _, one = await visitor.opened(state="one")
    _, two = await visitor.opened(state="two")

    denied = answer_in(await visitor.submit(one, decision="deny"))
    connected = answer_in(await visitor.submit(two, decision="connect", key=KEY))

    assert ("one", "denied") == (denied["state"], denied["status"])
    assert ("two", "connected") == (connected["state"], connected["status"])
    assert 1 == len(rows(platform, CONNECTIONS))


async def test_a_connection_that_fails_leaves_the_visit_open(
    platform: Starlette, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision, connection and event are one transaction: all of it is there, or nothing."""
    _, form = await visitor.opened()

    def fail(*_: object) -> None:
        raise RuntimeError(f"broken at {KEY}")

    with monkeypatch.context() as broken:
        broken.setattr(api.connections, "connect", fail)
        failed = await visitor.submit(form, decision="connect", key=KEY)
    retried = await visitor.submit(form, decision="connect", key=KEY)

    assert 500 == failed.status_code
    assert "its log says why under this request id" in failed.text
    assert KEY not in failed.text
    assert "connected" == answer_in(retried)["status"]
    assert [("connection.connected",)] == rows(platform, EVENTS)


@pytest.mark.on_file
async def test_a_secret_key_that_is_missing(
    platform: Starlette, visitor: Visitor, database: Path
) -> None:
    """Nothing is decided; a denial needs none."""
    _, form = await visitor.opened()
    key_file = database.with_name(f"{database.name}.key")
    key_file.write_text("nonsense")
    key_file.chmod(0o600)

    refused = await visitor.submit(form, decision="connect", key=KEY)
    denied = await visitor.submit(form, decision="deny")

    assert 503 == refused.status_code
    assert "Try again." in refused.text
    assert str(database) not in refused.text
    assert "denied" == answer_in(denied)["status"]
    assert [] == rows(platform, CONNECTIONS)


async def test_the_database_has_hashes_only(platform: Starlette, visitor: Visitor) -> None:
    """Of the state, and of the token that opens the visit."""
    await visitor.opened(state="state-in-plain-text")
    token = next(iter(visitor.http.cookies.values())).partition(".")[0]

    ((*values,),) = rows(platform, "SELECT * FROM vendo_grants")

    assert "state-in-plain-text" not in str(values)
    assert token not in str(values)
