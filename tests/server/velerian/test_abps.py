"""ABPs: made, deployed and retired, each step in the audit log."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.errors import InputError
from quatrain.server.store import Store
from quatrain.server.velerian.abps import Abps
from quatrain.server.velerian.records import Abp, AbpRetiredError, ExistsError, NotThereError

from .._support import START, ServerClock
from ._core import POLICY, rows


@pytest.fixture
def abps(store: Store) -> Abps:
    return Abps(store)


def audited(store: Store) -> list[tuple[Any, ...]]:
    return rows(
        store, "SELECT actor_user_id, action, resource_id, detail FROM velerian_audit ORDER BY id"
    )


async def test_a_life(abps: Abps, store: Store, clock: ServerClock) -> None:
    """A draft, deployed, retired; what changes nothing is told to nobody."""
    made = await abps.create("acme", name="Pay", policy={}, abp_id="pay")
    assert Abp("pay", "Pay", "draft", "{}", START, START) == made
    clock.advance(1)
    for _ in range(2):
        deployed = await abps.deploy("acme", "pay", by="ann")
        assert ("deployed", START + 1) == (deployed.state, deployed.updated_at)
    for _ in range(2):
        assert "retired" == (await abps.retire("acme", "pay", by="bo")).state
    with pytest.raises(AbpRetiredError, match="'pay' is retired"):
        await abps.deploy("acme", "pay")
    assert [
        ("ann", "abp.deploy", "pay", '{"from":"draft","name":"Pay"}'),
        ("bo", "abp.retire", "pay", '{"from":"deployed","name":"Pay"}'),
    ] == audited(store)


async def test_a_draft_may_be_retired(abps: Abps) -> None:
    """It was never needed."""
    made = await abps.create("acme", name="Pay", policy=POLICY)
    assert made.abp_id.startswith("abp_")
    assert "retired" == (await abps.retire("acme", made.abp_id)).state


async def test_ids_are_a_tenants_own(abps: Abps) -> None:
    """One of each."""
    await abps.create("acme", name="Pay", policy={}, abp_id="pay")
    with pytest.raises(ExistsError, match="'pay' already"):
        await abps.create("acme", name="Other", policy={}, abp_id="pay")
    assert "Pay" == (await abps.get("acme", "pay")).name
    await abps.create("other", name="Theirs", policy={}, abp_id="pay", state="deployed")
    assert "draft" == (await abps.get("acme", "pay")).state


async def test_what_is_not_there(abps: Abps) -> None:
    """Is not, for nobody but its tenant."""
    await abps.create("other", name="Theirs", policy={}, abp_id="pay")
    for change in (abps.get, abps.deploy, abps.retire):
        with pytest.raises(NotThereError, match="no ABP 'pay'"):
            await change("acme", "pay")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"abp_id": ""}, "an ABP's id"),
        ({"abp_id": "a/b"}, "an ABP's id"),
        ({"abp_id": "a" * 101}, "an ABP's id"),
        ({"name": " "}, "an ABP's name"),
        ({"tenant": "\n"}, "a tenant"),
        ({"state": "live"}, "no state 'live'; there are draft"),
        ({"policy": {"default": "maybe"}}, "default: must be one of"),
        ({"policy": {"rules": [{}]}}, r"rules\[0\]: name is missing"),
    ],
)
async def test_values_that_cannot_be_meant(abps: Abps, options: dict[str, Any], words: str) -> None:
    """Are refused, and nothing is made."""
    with pytest.raises(InputError, match=words):
        await abps.create(**{"tenant": "acme", "name": "n", "policy": {}, **options})
    assert 0 == (await abps.page("acme", limit=1, offset=0)).total
