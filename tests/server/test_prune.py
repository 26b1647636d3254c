"""What is over may be forgotten; what was promised of it holds all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from quatrain.server.ledger import EffectId, Holder, Ledger, PriorState, StaleFenceError
from quatrain.server.ledger import prune as prune_module
from quatrain.server.ledger.prune import Over, prune
from quatrain.server.store import PostgresURL, Store, store_on

from ._support import START, Client, ServerClock, audited, granted, make_realm

HOUR = 3_600_000


def over(clock: ServerClock, **options: Any) -> Over:
    """What has not changed for an hour."""
    return Over(before=clock.now - HOUR, **options)


async def done(ledger: Ledger, realm: int, key: str, namespace: str = "ns") -> Holder:
    holder, _ = await granted(ledger, EffectId(realm, namespace, key))
    await ledger.commit(holder, result='"done"')
    return holder


async def keys(ledger: Ledger, realm: int) -> set[str]:
    page = await ledger.trail(realm, limit=1_000)
    return {item.effect_key for item in page.items}


@pytest.fixture
async def history(ledger: Ledger, realm: int, clock: ServerClock) -> None:
    """An effect in each state, all of them old, and a new one."""
    await done(ledger, realm, "committed")
    for key in ("failed", "reset"):
        holder, _ = await granted(ledger, EffectId(realm, "ns", key))
        await ledger.fail(holder, error='"x"')
    await ledger.reset(EffectId(realm, "ns", "reset"), reason="r", by="me")
    await granted(ledger, EffectId(realm, "ns", "expired"))
    clock.advance(2 * HOUR)
    await done(ledger, realm, "new")
    await granted(ledger, EffectId(realm, "ns", "running"))


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("failed", "forgotten"), [(False, {"committed"}), (True, {"committed", "failed", "reset"})]
)
async def test_what_is_forgotten(
    store: Store,
    ledger: Ledger,
    realm: int,
    clock: ServerClock,
    failed: bool,
    forgotten: set[str],
) -> None:
    """What is committed, and what failed if that is wanted; never what may still happen."""
    before = await keys(ledger, realm)
    counted = prune(store, over(clock, failed=failed), dry_run=True)
    assert before == await keys(ledger, realm)
    told: list[int] = []
    number = prune(store, over(clock, failed=failed), on_progress=told.append)

    assert forgotten == before - await keys(ledger, realm)
    assert {len(forgotten)} == {counted, number, *told}
    assert 0 == prune(store, over(clock, failed=failed))
    assert [] == await audited(ledger, realm)


async def test_beside_a_check_of_the_trail(
    store: Store, ledger: Ledger, realm: int, clock: ServerClock
) -> None:
    """What is forgotten between two pages was told of in one of them, or not at all."""
    for key in "abc":
        await done(ledger, realm, key)
    clock.advance(2 * HOUR)

    assert [] == await audited(ledger, realm, 3, lambda: prune(store, over(clock)))
    assert not {"a", "b"} & await keys(ledger, realm)


async def test_a_key_that_comes_again(
    store: Store, ledger: Ledger, realm: int, clock: ServerClock
) -> None:
    """It begins anew, above every fence that anybody was given: its old holders can't write."""
    effect = EffectId(realm, "ns", "k")
    first, _ = await granted(ledger, effect)
    clock.advance(30_000)
    second, _ = await granted(ledger, effect)
    await ledger.commit(second, result="1")
    await done(ledger, realm, "newest")
    clock.advance(2 * HOUR)
    assert 1 == prune(store, over(clock))
    again, grant = await granted(ledger, effect)
    other, other_grant = await granted(ledger, EffectId(realm, "ns", "other"))

    assert (3, PriorState.NONE) == (grant.fence_token, grant.prior_state)
    assert (3, PriorState.NONE) == (other_grant.fence_token, other_grant.prior_state)
    for zombie in (first, second, attrs.evolve(again, fence_token=1)):
        with pytest.raises(StaleFenceError):
            await ledger.commit(zombie, result="2")
    await ledger.fail(other, error='"x"')
    await ledger.reset(other.effect, reason="r", by="me")
    _, after_reset = await granted(ledger, other.effect)
    assert (4, PriorState.RESET) == (after_reset.fence_token, after_reset.prior_state)
    assert [] == await audited(ledger, realm)


async def test_a_floor_is_its_realms(
    store: Store, ledger: Ledger, realm: int, clock: ServerClock
) -> None:
    """And it never sinks."""
    effect = EffectId(realm, "ns", "k")
    for _ in range(5):
        holder, _ = await granted(ledger, effect)
        clock.advance(30_000)
    await ledger.commit(holder, result="1")
    await done(ledger, realm, "low")
    clock.advance(2 * HOUR)
    await done(ledger, realm, "newest")
    for _ in range(2):
        prune(store, over(clock))
        _, grant = await granted(ledger, EffectId(realm, "ns", f"after {clock.now}"))
        assert 6 == grant.fence_token
        await done(ledger, realm, f"more {clock.now}")
        clock.advance(2 * HOUR)
    _, grant = await granted(ledger, EffectId(make_realm(store, "other", "test"), "ns", "k"))
    assert 1 == grant.fence_token


async def test_the_newest_stays(
    store: Store, ledger: Ledger, realm: int, clock: ServerClock
) -> None:
    """However old: no number of an effect or of a line is given out twice."""
    first, _ = await granted(ledger, EffectId(realm, "ns", "first"))
    for key in ("second", "third"):
        await done(ledger, realm, key)
    await ledger.commit(first, result="1")
    clock.advance(2 * HOUR)

    assert 1 == prune(store, over(clock))
    assert {"first", "third"} == await keys(ledger, realm)


async def test_in_batches(
    store: Store,
    ledger: Ledger,
    realm: int,
    clock: ServerClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All realms; one namespace only if that is wanted."""
    monkeypatch.setattr(prune_module, "_BATCH", 2)
    other = make_realm(store, "other", "live")
    for number in range(5):
        await done(ledger, realm, f"k{number}")
        await done(ledger, other, f"k{number}", namespace="farm")
    await done(ledger, realm, "newest")
    clock.advance(2 * HOUR)
    told: list[int] = []

    assert 5 == prune(store, over(clock, namespace="farm"), on_progress=told.append)
    assert [2, 4, 5] == told
    assert 5 == prune(store, over(clock))
    assert ({"newest"}, set()) == (await keys(ledger, realm), await keys(ledger, other))


async def test_what_begins_again_meanwhile_stays(
    store: Store,
    ledger: Ledger,
    realm: int,
    clock: ServerClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the look and the deletion somebody may reset it, and begin."""
    effect = EffectId(realm, "ns", "k")
    holder, _ = await granted(ledger, effect)
    await ledger.fail(holder, error='"x"')
    await done(ledger, realm, "newest")
    clock.advance(2 * HOUR)
    raise_floor = prune_module._raise_floor

    def meanwhile(connection: Any, now: int, params: Any) -> None:
        raise_floor(connection, now, params)
        connection.execute(
            "UPDATE effects SET status = 'RESET', updated_at = ? WHERE id = 1", (now,)
        )

    monkeypatch.setattr(prune_module, "_raise_floor", meanwhile)

    assert 0 == prune(store, over(clock, failed=True))
    assert "RESET" == (await ledger.get(effect)).status


async def test_over_http(client: Client, clock: ServerClock, database: Path | PostgresURL) -> None:
    """Attempts are counted from an effect's own first one."""
    for key in ("old", "newest"):
        holder = await client.lease(key)
        await client.post("/effects/ns/commit", **holder, result=1)
    clock.advance(2 * HOUR)
    with store_on(database, now_ms=clock) as beside:
        assert 1 == prune(beside, over(clock))
    assert 2 == (await client.lease("old"))["fenceToken"]
    effect = (await client.get("/effects/ns/effect", effectKey="old")).json()

    assert (2, 1) == (effect["fenceToken"], effect["attempts"])
    assert clock.now > START
