"""Velerian's keys: what each opens, and that it ends with its revocation or its time."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.recognizer import digest_of
from quatrain.server.store import Store
from quatrain.server.velerian.keys import FINE_SCOPES, Key, Principal, VelerianKeys, new_secret

from .._support import START, ServerClock
from ._core import rows


class Ticks:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def keys(store: Store, ticks: Ticks) -> VelerianKeys:
    return VelerianKeys(store, monotonic=ticks)


async def who(keys: VelerianKeys, secret: Secret) -> Principal | None:
    return await keys.authenticate(secret.reveal().encode())


async def test_a_key_opens_its_tenant(keys: VelerianKeys, store: Store) -> None:
    """The secret is told once, and its hash is what is kept."""
    made, secret = keys.create(
        "acme", name="ci", scopes=["runs:read"], user_id="ann", rate_per_minute=5
    )
    text = secret.reveal()
    expected = Key("key_1", "ci", "ann", text[:12], frozenset({"runs:read"}), 5, START, *[None] * 3)
    assert expected == made
    assert text.startswith("vk_live_")
    assert Principal("acme", "ann", "key_1", made.scopes, 5) == await who(keys, secret)
    assert [(digest_of(text.encode()),)] == rows(store, "SELECT digest FROM velerian_keys")
    await store.probe()  # nobody waits for this one
    assert START == keys.list("acme")[0].last_used_at
    assert [] == keys.list("other")


@pytest.mark.parametrize(
    ("scopes", "meant"),
    [
        (["read"], {"runs:read", "evidence:read", "audit:read"}),
        (["write"], {"runs:write"}),
        (["read", "write"], FINE_SCOPES),
        (["runs:read"], {"runs:read"}),
        (["admin"], {*FINE_SCOPES, "admin"}),
    ],
)
async def test_coarse_scopes_stand_for_fine_ones(
    keys: VelerianKeys, scopes: list[str], meant: set[str]
) -> None:
    """For whom they let in; the list shows what was given."""
    made, secret = keys.create("acme", scopes=scopes)
    principal = await who(keys, secret)
    assert principal is not None
    assert (meant, set(scopes)) == (principal.scopes, made.scopes)


async def test_a_revoked_key_opens_nothing(keys: VelerianKeys, clock: ServerClock) -> None:
    """At once; twice is fine, and nobody else can do it."""
    made, secret = keys.create("acme")
    assert await who(keys, secret) is not None
    with pytest.raises(InputError, match="no key 'key_1'"):
        keys.revoke("other", made.key_id)
    clock.advance(5)
    assert START + 5 == keys.revoke("acme", made.key_id).revoked_at
    clock.advance(5)
    assert START + 5 == keys.revoke("acme", made.key_id).revoked_at
    assert await who(keys, secret) is None


async def test_a_key_ends_at_its_time(keys: VelerianKeys, clock: ServerClock) -> None:
    """To the millisecond, though it was used a moment ago."""
    _, secret = keys.create("acme", expires_at=START + 10)
    clock.advance(9)
    assert await who(keys, secret) is not None
    clock.advance(1)
    assert await who(keys, secret) is None
    for past in (START, START + 10, 10**18):
        with pytest.raises(InputError, match="in the future"):
            keys.create("acme", expires_at=past)


async def test_another_process_revokes(keys: VelerianKeys, store: Store, ticks: Ticks) -> None:
    """It is noticed within a second."""
    made, secret = keys.create("acme")
    assert await who(keys, secret) is not None
    VelerianKeys(store).revoke("acme", made.key_id)
    ticks.now += 1.0
    assert await who(keys, secret) is None


async def test_a_lent_key_is_an_admin(keys: VelerianKeys, store: Store) -> None:
    """And is not stored."""
    secret = new_secret()
    keys.lend(secret, tenant="acme")
    principal = await who(keys, secret)
    assert principal is not None
    assert ("acme", {*FINE_SCOPES, "admin"}) == (principal.tenant, principal.scopes)
    assert [] == rows(store, "SELECT * FROM velerian_keys")
    assert await who(keys, new_secret()) is None
    assert await keys.authenticate(b"\xff") is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tenant": ""}, "a tenant"),
        ({"name": "a\nb"}, "a key's name"),
        ({"name": "x" * 201}, "a key's name"),
        ({"user_id": " "}, "a user's id"),
        ({"by": ""}, "a user's id"),
        ({"scopes": []}, "without a scope"),
        ({"scopes": ["runs:delete"]}, "no scope 'runs:delete'; there are admin"),
        ({"rate_per_minute": 0}, "1 to 1,000,000"),
        ({"rate_per_minute": 1_000_001}, "1 to 1,000,000"),
    ],
)
def test_values_that_cannot_be_meant(
    keys: VelerianKeys, options: dict[str, Any], words: str
) -> None:
    """Are refused, and nothing is made."""
    with pytest.raises(InputError, match=words):
        keys.create(**{"tenant": "acme", **options})
    assert [] == keys.list("acme")


@pytest.mark.parametrize("key_id", ["", "key_", "key_x", "1", "key_9", "key_" + "9" * 30])
def test_a_key_that_is_not_there(keys: VelerianKeys, key_id: str) -> None:
    """Whatever its id looks like."""
    keys.create("acme")
    with pytest.raises(InputError, match="there is no key"):
        keys.revoke("acme", key_id)


def test_keys_are_audited(keys: VelerianKeys, store: Store) -> None:
    """Made and revoked, once each, by whom; the secret is nowhere."""
    made, secret = keys.create("acme", name="ci", scopes=["write"], user_id="ann", by="bo")
    keys.revoke("acme", made.key_id, by="cy")
    keys.revoke("acme", made.key_id, by="cy")
    statement = (
        "SELECT actor_user_id, action, resource_kind, resource_id, detail FROM velerian_audit"
    )
    detail = '{"name":"ci","scopes":["write"],"user_id":"ann"}'
    assert [
        ("bo", "api_key.create", "api_key", "key_1", detail),
        ("cy", "api_key.revoke", "api_key", "key_1", detail),
    ] == rows(store, statement)
    assert secret.reveal() not in repr((made, secret))
