"""Sandbox mode: a developer gets the sample founder, and changes nothing."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette

from quatrain.server.velocity import Account

from ._support import Extension, add_endpoint, change, outbox
from .test_api import BODIES, READS


async def test_the_sample_is_the_same_whatever_the_store_holds(
    app: Starlette, sandbox: Extension, founder: Account
) -> None:
    """Byte for byte, also for an account without any data."""
    empty = await app.state.velocity.ensure_account("empty")
    _, secret = app.state.installs.create(empty.id, "sync", sandbox=True)
    other = Extension(sandbox.http, secret)
    first = {path: (await sandbox.get(path)).json() for path in READS}
    change(app.state.store, "DELETE FROM velocity_tasks")
    change(app.state.store, "UPDATE velocity_accounts SET profile = '{}', tier = 'growth'")
    for path, before in first.items():
        assert True is before["sandbox"]
        assert before == (await sandbox.get(path)).json()
        assert json.dumps(before["data"]) == json.dumps((await other.get(path)).json()["data"])
    assert first["/modules/F6"] == (await sandbox.get("/modules/f6")).json()
    assert 404 == (await other.get("/modules/L12")).status_code


async def test_the_sample_is_what_a_new_account_is_filled_with(
    app: Starlette, sandbox: Extension, extension: Extension
) -> None:
    """One founder, told once."""
    for path in READS:
        assert await extension.data(path) == await sandbox.data(path)


async def test_whoami_tells_the_extension_as_it_is(sandbox: Extension, founder: Account) -> None:
    """And the sample founder."""
    answer = (await sandbox.get("/whoami")).json()
    assert (True, "Maya Okafor", "academy") == (
        answer["sandbox"],
        answer["data"]["user"]["name"],
        answer["data"]["user"]["tier"],
    )
    assert ("sync", 10) == (
        answer["data"]["extension"]["slug"],
        len(answer["data"]["extension"]["granted_scopes"]),
    )


@pytest.mark.parametrize("path", ["/tasks", "/team"])
async def test_a_write_changes_nothing_and_tells_nobody(
    app: Starlette, sandbox: Extension, extension: Extension, path: str
) -> None:
    """It is answered like a real one."""
    extension_id = (await sandbox.get("/whoami")).json()["extension_id"]
    add_endpoint(app.state.store, extension_id)
    before = await extension.data(path), await sandbox.data(path)
    real = await extension.http.post(path, json=BODIES[path], headers=sandbox.headers)
    assert (200, True) == (real.status_code, real.json()["sandbox"])
    created = real.json()["data"]["created"]
    assert BODIES[path].items() <= created.items()
    assert before == (await extension.data(path), await sandbox.data(path))
    assert [] == outbox(app.state.store)
    written = (await extension.post(path, BODIES[path])).json()["data"]["created"]
    assert written == created


async def test_values_and_keys_count_in_the_sandbox_too(sandbox: Extension) -> None:
    """Or a developer would find out later."""
    assert 422 == (await sandbox.post("/tasks", {"action": ""})).status_code
    first = await sandbox.post("/team", {"name": "Bo"}, key="k")
    assert first.json() == (await sandbox.post("/team", {"name": "Bo"}, key="k")).json()
    again = await sandbox.post("/team", {"name": "Cy"}, key="k")
    assert (422, "idempotency_key_reused") == (
        again.status_code,
        again.json()["error"]["code"],
    )


async def test_scopes_count_in_the_sandbox_too(
    app: Starlette, sandbox: Extension, founder: Account
) -> None:
    """The install's own."""
    _, secret = app.state.installs.create(founder.id, "narrow", scopes={"read:team"}, sandbox=True)
    narrow = Extension(sandbox.http, secret)
    statuses = [(await narrow.get(path)).status_code for path in ("/team", "/tasks")]
    assert [200, 403] == statuses
