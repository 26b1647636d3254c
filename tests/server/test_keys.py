"""API keys: made once, recognised, revoked; and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quatrain.errors import InputError
from quatrain.server.keys import DEFAULT_SCOPES, KeyRing, Mode
from quatrain.server.store import Store, StoreUnavailableError

from ._support import START, Client, ServerClock


class Monotonic:
    """Seconds that only the test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Monotonic:
    return Monotonic()


@pytest.fixture
def keys(store: Store, seconds: Monotonic) -> KeyRing:
    return KeyRing(store, monotonic=seconds)


def test_a_key_says_what_it_is_for_and_is_long(keys: KeyRing) -> None:
    """A prefix for its mode and 32 random bytes; the record keeps the first few characters."""
    key, secret = keys.create(mode=Mode.LIVE, tenant="acme", name="prod")
    text = secret.reveal()
    assert text.startswith("vt_live_")
    assert len(text) == len("vt_live_") + 43
    assert key.hint == text[:12]
    assert (key.key_id, key.name, key.tenant, key.mode) == ("key_1", "prod", "acme", Mode.LIVE)
    assert (key.scopes, key.created_at, key.revoked_at) == (DEFAULT_SCOPES, START, None)


@pytest.mark.on_file
def test_the_secret_is_shown_once_and_stored_nowhere(
    keys: KeyRing, store: Store, database: Path
) -> None:
    """Neither repr nor any file of the database holds it."""
    key, secret = keys.create()
    assert secret.reveal() not in repr((key, secret))
    for file in database.parent.iterdir():
        assert secret.reveal().encode() not in file.read_bytes()


async def test_a_key_is_recognised_until_it_is_revoked(keys: KeyRing) -> None:
    """Revocation by this process works at once."""
    key, secret = keys.create(name="agent")
    principal = await keys.authenticate(secret.reveal().encode())
    assert principal is not None
    assert (principal.key_id, principal.key_name) == (key.key_id, "agent")
    revoked = keys.revoke(key.key_id)
    assert revoked.revoked_at == START
    assert await keys.authenticate(secret.reveal().encode()) is None


async def test_another_process_sees_the_revocation_within_a_second(
    keys: KeyRing, store: Store, seconds: Monotonic
) -> None:
    """What is cached is trusted for a second, no longer."""
    key, secret = keys.create()
    await keys.authenticate(secret.reveal().encode())
    KeyRing(store).revoke(key.key_id)
    seconds.now = 1.0
    assert await keys.authenticate(secret.reveal().encode()) is None


async def test_unknown_keys_are_nobody(keys: KeyRing) -> None:
    """Whatever is presented, it is not an error."""
    for presented in (b"", b"vt_test_", b"vt_test_" + b"A" * 43, b"\xff\x00", b"x" * 100_000):
        assert await keys.authenticate(presented) is None


def test_revoking_twice_keeps_the_first_time(keys: KeyRing, clock: ServerClock) -> None:
    """The second is a no-op."""
    key, _ = keys.create()
    keys.revoke(key.key_id)
    clock.advance(5)
    assert keys.revoke(key.key_id).revoked_at == START


@pytest.mark.parametrize("key_id", ["key_9", "key_", "9", "", "key_x", "key_-1", "key_" + "9" * 30])
def test_revoking_what_is_not_there_is_an_input_error(keys: KeyRing, key_id: str) -> None:
    """The message names it."""
    with pytest.raises(InputError, match="there is no key"):
        keys.revoke(key_id)


async def test_a_revocation_overtakes_a_look_up(
    keys: KeyRing, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found just before is not remembered after it."""
    key, secret = keys.create()
    read = store.read

    async def read_and_revoke(query: Any, argument: Any) -> Any:
        found = await read(query, argument)
        keys.revoke(key.key_id)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(store, "read", read_and_revoke)
        await keys.authenticate(secret.reveal().encode())
    assert await keys.authenticate(secret.reveal().encode()) is None


async def test_a_key_is_recognised_while_nothing_can_be_written(
    keys: KeyRing, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads go on when the note of its use has to be left out."""
    _, secret = keys.create()

    def refuse(operation: object, argument: object) -> None:
        raise StoreUnavailableError("the database is locked by another program")

    monkeypatch.setattr(store, "write_unawaited", refuse)
    assert await keys.authenticate(secret.reveal().encode()) is not None


async def test_use_is_noted_about_once_a_minute(
    keys: KeyRing, clock: ServerClock, seconds: Monotonic
) -> None:
    """To the minute; more would make every request a write."""
    _, secret = keys.create()

    async def use() -> int | None:
        seconds.now += 1
        await keys.authenticate(secret.reveal().encode())
        keys.create()  # waits its turn behind the note of the use
        return keys.list()[0].last_used_at

    assert await use() == START
    clock.advance(59_999)
    assert await use() == START
    clock.advance(1)
    assert await use() == START + 60_000


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": " "},
        {"name": "a\nb"},
        {"tenant": "x" * 201},
        {"scopes": {"effects:fly"}},
    ],
)
def test_names_and_scopes_are_checked(keys: KeyRing, bad: dict[str, object]) -> None:
    """What could not be shown in a table, or means nothing, is refused."""
    with pytest.raises(InputError):
        keys.create(**bad)  # type: ignore[arg-type]


def test_keys_are_listed_oldest_first_with_the_revoked(keys: KeyRing) -> None:
    """A list for people."""
    first, _ = keys.create(name="a")
    keys.create(name="b")
    keys.revoke(first.key_id)
    assert [(key.name, key.revoked_at) for key in keys.list()] == [("a", START), ("b", None)]


# -- over the wire --------------------------------------------------------------------------------


async def test_missing_unknown_and_revoked_keys_get_the_same_answer(client: Client) -> None:
    """401, telling nothing about why."""
    key, secret = client.keys.create()
    client.keys.revoke(key.key_id)
    answers = [
        await client.http.get("/effects", headers=headers)
        for headers in (
            {},
            {"authorization": "Bearer"},
            {"authorization": "Basic dXNlcjpwdw=="},
            {"authorization": "Bearer vt_test_unknown"},
            {"authorization": f"Bearer {secret.reveal()}"},
        )
    ]
    assert [response.status_code for response in answers] == [401] * 5
    assert {response.headers["www-authenticate"] for response in answers} == {"Bearer"}
    bodies = [{**response.json(), "requestId": ""} for response in answers]
    assert [bodies[0]] * 5 == bodies
    assert bodies[0]["code"] == "unauthenticated"


async def test_a_key_without_the_scope_is_forbidden(client: Client) -> None:
    """403 names the scope."""
    _, secret = client.keys.create(scopes={"effects:read"})
    reader = Client(client.http, secret, client.keys)
    assert (await reader.get("/effects")).status_code == 200
    response = await reader.post("/effects/ns/lease", effectKey="k")
    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"
    assert "effects:write" in response.json()["message"]


async def test_tenants_and_modes_see_nothing_of_each_other(client: Client) -> None:
    """The same key name is another effect for another tenant, and for live."""
    held = await client.lease("k")
    for options in ({"tenant": "acme", "mode": Mode.LIVE}, {"tenant": "other"}):
        _, secret = client.keys.create(**options)
        other = Client(client.http, secret, client.keys)
        assert (await other.get("/effects")).json()["items"] == []
        for verb in ("commit", "renew"):
            assert (await other.post(f"/effects/ns/{verb}", **held)).status_code == 404
        for verb in ("effect", "events"):
            assert (await other.get(f"/effects/ns/{verb}", effectKey="k")).status_code == 404
        reset = await other.post("/effects/ns/reset", effectKey="k", reason="r")
        assert reset.status_code == 404
        granted = await other.post("/effects/ns/lease", effectKey="k")
        assert granted.json()["status"] == "granted"


async def test_keys_of_a_tenant_share_its_data(client: Client) -> None:
    """Two test keys of one tenant open the same realm."""
    _, secret = client.keys.create(tenant="acme")
    await client.lease("k")
    response = await Client(client.http, secret, client.keys).get("/effects")
    assert [item["effectKey"] for item in response.json()["items"]] == ["k"]
