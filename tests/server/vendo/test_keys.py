"""Apps' keys: what each opens, and that its bearer is told how it ended."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.recognizer import digest_of
from quatrain.server.vendo.keys import AppKeys, Key, new_secret

from .._support import START, ServerClock
from ._support import Caller, refusal, rows

LIST = "/api/deployments/me/connections"


@pytest.fixture
def keys(platform: Starlette) -> AppKeys:
    keys: AppKeys = platform.state.vendo.keys
    return keys


async def test_a_key_opens_its_app(caller: Caller, keys: AppKeys) -> None:
    """It is shown once and kept as a hash."""
    assert (await caller.send("GET", LIST)).status_code == 200
    await caller.app.state.store.probe()  # after which its use is noted, too
    text = caller.secret.reveal()
    assert text.startswith("vendo_sk_")
    stored = rows(caller.app.state.store, "SELECT digest, hint FROM vendo_keys")
    assert [(digest_of(text.encode()), text[:13])] == stored
    assert [Key("key_1", "shop", None, None, text[:13], START, None, START, None)] == keys.list(
        "acme"
    )
    assert [] == keys.list("other")


@pytest.mark.parametrize("presented", [None, "", "Bearer", "Bearer vendo_sk_x", "Basic eA=="])
async def test_no_key_of_ours(wire: httpx.AsyncClient, presented: str | None) -> None:
    """None, a malformed one and an unknown one are told alike."""
    headers = {} if presented is None else {"authorization": presented}
    response = await wire.get(LIST, headers=headers)
    assert (401, "app_unknown", "Bearer") == (
        response.status_code,
        response.headers["vendo-error-code"],
        response.headers["www-authenticate"],
    )


async def test_a_revoked_key(caller: Caller, keys: AppKeys) -> None:
    """Its bearer is told so; revoking twice is fine."""
    await caller.get(LIST)
    assert keys.revoke("acme", "key_1").revoked_at == START
    assert (401, "app_revoked") == await refusal(caller, "GET", LIST)
    assert keys.revoke("acme", "key_1").revoked_at == START


async def test_an_expired_key(caller: Caller, clock: ServerClock) -> None:
    """It ends at its time, not a millisecond later, though it is remembered."""
    other = caller.other(expires_at=START + 1_000)
    clock.advance(999)
    await other.get(LIST)
    clock.advance(1)
    assert (401, "app_expired") == await refusal(other, "GET", LIST)


async def test_using_an_ended_key_is_not_noted(
    caller: Caller, keys: AppKeys, clock: ServerClock
) -> None:
    """When it was last good is what its owner wants to know."""
    keys.revoke("acme", "key_1")
    clock.advance(5)
    await refusal(caller, "GET", LIST)
    await caller.app.state.store.probe()
    assert [None] == [key.last_used_at for key in keys.list("acme")]


async def test_a_lent_key(platform: Starlette, wire: httpx.AsyncClient, keys: AppKeys) -> None:
    """Is one of the app "local", which is made with its first use, and is itself not stored."""
    secret = new_secret()
    keys.lend(secret, tenant="acme")
    assert [] == platform.state.vendo.apps.list("acme")
    await Caller(platform, wire, secret).get(LIST)
    assert ["local"] == [app.slug for app in platform.state.vendo.apps.list("acme")]
    assert [] == keys.list("acme")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": ""},
        {"app": "Shop"},
        {"app": "-shop"},
        {"app": ""},
        {"app": "x" * 101},
        {"expires_at": START},
        {"expires_at": 10**15},
        {"connection_id": "con_none"},
    ],
)
async def test_what_no_key_can_be(keys: AppKeys, wrong: dict[str, Any]) -> None:
    """Refused, and nothing is made."""
    given = {"tenant": "acme", "app": "shop", **wrong}
    with pytest.raises(InputError):
        keys.create(given.pop("tenant"), given.pop("app"), **given)
    assert [] == keys.list("acme")


@pytest.mark.parametrize("key_id", ["", "key_", "key_2", "1", "key_1x", "key_" + "9" * 30])
async def test_revoking_what_is_not_there(caller: Caller, keys: AppKeys, key_id: str) -> None:
    """Another tenant's key is not there either."""
    with pytest.raises(InputError, match="there is no key"):
        keys.revoke("acme", key_id)
    with pytest.raises(InputError, match="there is no key"):
        keys.revoke("other", "key_1")
    await caller.get(LIST)


def test_keys_are_random() -> None:
    """Of 256 bits, and not shown."""
    made = {new_secret().reveal() for _ in range(100)}
    assert {len("vendo_sk_") + 43} == {len(text) for text in made}
    assert len(made) == 100
    assert "vendo" not in repr(Secret(made.pop()))


async def test_other_paths(caller: Caller) -> None:
    """In Vendo's words below its paths; elsewhere in the platform's."""
    assert (404, "not_found") == await refusal(caller, "GET", "/api/deployments/none")
    assert (405, "method_not_allowed") == await refusal(caller, "POST", LIST)
    assert "requestId" in (await caller.send("GET", "/api/none")).json()
