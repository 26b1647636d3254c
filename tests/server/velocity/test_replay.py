"""A write that is sent twice under one Idempotency-Key. Source: contracts, "Client behaviour"."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from starlette.applications import Starlette

from quatrain.server.velocity import Account

from .._support import ServerClock
from ._support import Extension, add_endpoint, outbox, rows
from .test_api import BODIES

DAY_MS = 24 * 60 * 60 * 1_000
TASK = BODIES["/tasks"]


async def count(extension: Extension, path: str) -> int:
    """How many open tasks, or team members, there are."""
    data = await extension.data(path)
    return len(data["open"] if path == "/tasks" else data["team"])


@pytest.mark.parametrize("path", ["/tasks", "/team"])
async def test_a_repeat_is_answered_and_not_done(
    app: Starlette, extension: Extension, path: str
) -> None:
    """The first answer again, one change, one webhook; spaces and order do not matter."""
    extension_id = (await extension.get("/whoami")).json()["extension_id"]
    add_endpoint(app.state.store, extension_id)
    before = await count(extension, path)
    body = {**BODIES[path], "role": "", "category": ""}
    first = await extension.post(path, body, key="k")
    again = await extension.post(path, dict(reversed(body.items())), key="k")
    assert (200, first.json()) == (again.status_code, again.json())
    assert before + 1 == await count(extension, path)
    assert 1 == len(outbox(app.state.store))


async def test_a_key_with_another_body_is_a_mistake(extension: Extension) -> None:
    """422, for another content and for another endpoint."""
    await extension.post("/tasks", TASK, key="k")
    before = await extension.data("/tasks"), await extension.data("/team")
    for path, body in (("/tasks", {**TASK, "action": "b"}), ("/team", {"name": "n"})):
        response = await extension.post(path, body, key="k")
        assert (422, "idempotency_key_reused") == (
            response.status_code,
            response.json()["error"]["code"],
        )
        assert "details" not in response.json()["error"]
    assert before == (await extension.data("/tasks"), await extension.data("/team"))


async def test_without_a_key_every_request_counts(extension: Extension) -> None:
    """So do different keys."""
    before = await count(extension, "/tasks")
    for key in (None, None, "a", "b"):
        await extension.post("/tasks", TASK, key=key)
    assert before + 4 == await count(extension, "/tasks")


async def test_keys_belong_to_an_install(
    app: Starlette, extension: Extension, founder: Account
) -> None:
    """Another install, of the same extension even, has keys of its own."""
    _, secret = app.state.installs.create(founder.id, "sync")
    other = Extension(extension.http, secret)
    before = await count(extension, "/tasks")
    for caller, action in ((extension, "a"), (other, "b")):
        response = await caller.post("/tasks", {**TASK, "action": action}, key="k")
        assert action == response.json()["data"]["created"]["action"]
    assert before + 2 == await count(extension, "/tasks")


async def test_a_refused_request_uses_no_key_up(extension: Extension) -> None:
    """The corrected one may carry the same."""
    assert 422 == (await extension.post("/tasks", {"action": ""}, key="k")).status_code
    assert 200 == (await extension.post("/tasks", TASK, key="k")).status_code


async def test_a_key_is_good_for_a_day(extension: Extension, clock: ServerClock) -> None:
    """Then it is as good as new."""
    before = await count(extension, "/tasks")
    await extension.post("/tasks", TASK, key="k")
    clock.advance(DAY_MS - 1)
    await extension.post("/tasks", TASK, key="k")
    assert before + 1 == await count(extension, "/tasks")
    clock.advance(1)
    other = {**TASK, "action": "b"}
    for _ in range(2):
        response = await extension.post("/tasks", other, key="k")
        assert "b" == response.json()["data"]["created"]["action"]
    assert before + 2 == await count(extension, "/tasks")


async def test_old_keys_are_forgotten_as_new_ones_come(
    app: Starlette, extension: Extension, clock: ServerClock
) -> None:
    """A few at a time."""
    for number in range(12):
        await extension.post("/team", {"name": "n"}, key=f"old-{number}")
    clock.advance(DAY_MS)
    left = []
    for number in range(3):
        await extension.post("/team", {"name": "n"}, key=f"new-{number}")
        left.append(rows(app.state.store, "SELECT count(*) FROM idempotency_keys")[0][0])
    assert [8, 4, 3] == left


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "\x7f", "x" * 256])
async def test_a_key_is_visible_ascii(extension: Extension, key: str) -> None:
    """1 to 255 characters, else 422."""
    headers = {**extension.headers, "idempotency-key": key}
    response = await extension.http.post(
        "/tasks", json=TASK, headers={name: value.encode() for name, value in headers.items()}
    )
    assert (422, ["header", "Idempotency-Key"]) == (
        response.status_code,
        response.json()["error"]["details"][0]["loc"],
    )


async def test_a_key_is_given_once(extension: Extension) -> None:
    """Two headers are no key."""
    headers = [*extension.headers.items(), ("idempotency-key", "a"), ("idempotency-key", "b")]
    response = await extension.http.post("/tasks", json=TASK, headers=headers)
    assert 422 == response.status_code


@pytest.mark.parametrize("key", ["!", "~" * 255, '"quoted"', "a;b=c"])
async def test_any_visible_ascii_is_a_key(extension: Extension, key: str) -> None:
    """Whatever it may mean elsewhere."""
    first = await extension.post("/tasks", TASK, key=key)
    assert first.json() == (await extension.post("/tasks", TASK, key=key)).json()


async def test_a_second_request_while_the_first_is_under_way(
    app: Starlette, extension: Extension
) -> None:
    """409, to be tried again in a second; other keys are not held up, and the key is then free."""
    entered, release = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        entered.set()
        release.wait(60)

    before = await count(extension, "/tasks")
    await extension.get("/whoami")
    held = asyncio.ensure_future(asyncio.to_thread(app.state.store.write_blocking, hold, None))
    await asyncio.to_thread(entered.wait, 60)
    first = asyncio.ensure_future(extension.post("/tasks", TASK, key="k"))
    while not app.state.store.waiting:
        await asyncio.sleep(0)
    second = await extension.post("/tasks", TASK, key="k")
    other = asyncio.ensure_future(extension.post("/tasks", TASK, key="other"))
    release.set()
    await held
    assert (409, "idempotency_in_progress", "1") == (
        second.status_code,
        second.json()["error"]["code"],
        second.headers["retry-after"],
    )
    assert [200, 200] == [(await first).status_code, (await other).status_code]
    third = await extension.post("/tasks", TASK, key="k")
    assert (await first).json() == third.json()
    assert before + 2 == await count(extension, "/tasks")


async def test_a_caller_that_goes_away_leaves_its_key_free(
    app: Starlette, extension: Extension
) -> None:
    """The retry finds what became of the first."""
    entered, release = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        entered.set()
        release.wait(60)

    before = await count(extension, "/tasks")
    held = asyncio.ensure_future(asyncio.to_thread(app.state.store.write_blocking, hold, None))
    await asyncio.to_thread(entered.wait, 60)
    first = asyncio.ensure_future(extension.post("/tasks", TASK, key="k"))
    while not app.state.store.waiting:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    release.set()
    await held
    assert 200 == (await extension.post("/tasks", TASK, key="k")).status_code
    assert before + 1 == await count(extension, "/tasks")
