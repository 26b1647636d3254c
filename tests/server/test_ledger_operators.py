"""What an operator may do to an effect, and what its holders are told then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quatrain.server.ledger import (
    Cached,
    EffectChangedError,
    EffectId,
    EffectNotFoundError,
    Holder,
    Ledger,
    NotHeldError,
    NotResettableError,
    NotResolvableError,
    PriorState,
    StaleFenceError,
    Status,
)
from quatrain.server.ledger.queries import get
from quatrain.server.store import PostgresURL, queries, store_on

from ._support import START, ServerClock, granted, trail

WHY: dict[str, Any] = {"reason": "looked at the bank", "by": "ops"}


@pytest.fixture
def effect(realm: int) -> EffectId:
    return EffectId(realm, "ns", "refund:1")


@pytest.fixture
async def lost(ledger: Ledger, effect: EffectId, clock: ServerClock) -> Holder:
    """Whose lease ran out a second ago."""
    holder, _ = await granted(ledger, effect, agent_id="a", lease_duration_ms=5_000)
    clock.advance(6_000)
    return holder


async def last(ledger: Ledger, effect: EffectId) -> tuple[str, str | None, Any]:
    """The newest line of the trail: what, which agent, detail."""
    line = (await ledger.events(effect, limit=200)).items[-1]
    return line.type.value, line.agent_id, json.loads(line.detail or "null")


# -- resolve --------------------------------------------------------------------------------------


async def test_an_uncertain_effect_was_done(ledger: Ledger, effect: EffectId, lost: Holder) -> None:
    """It is committed under a fence of its own, and later leases get the result."""
    found = await ledger.resolve(effect, result='{"id":7}', **WHY)
    assert (Status.COMMITTED, '{"id":7}', "resolved", 2) == (
        found.status,
        found.result,
        found.source,
        found.fence_token,
    )
    expected = [("LEASE_GRANTED", 1), ("LEASE_EXPIRED", 1), ("RESOLVED_DONE", 2)]
    assert expected == await trail(ledger, effect)
    assert ("RESOLVED_DONE", None, WHY) == await last(ledger, effect)
    assert Cached(found.id, 2, Status.COMMITTED, '{"id":7}') == await ledger.lease(effect)


async def test_only_a_grant_is_an_attempt(
    ledger: Ledger, effect: EffectId, lost: Holder, clock: ServerClock
) -> None:
    """However many tokens operators take: release, resolve as done; the others take none."""
    told = [(await ledger.get(effect)).attempts]
    await ledger.resolve(effect, result=None, **WHY)
    for _ in range(2):
        await granted(ledger, effect)
        told.append((await ledger.release(effect, **WHY)).attempts)
    found = await ledger.resolve(effect, result="1", **WHY)
    assert ([1, 2, 3], 3, 6) == (told, found.attempts, found.fence_token)


@pytest.fixture
def unmigrated(database: Path | PostgresURL, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A database without tables."""
    if isinstance(database, Path):
        yield database
        return
    server = request.getfixturevalue("postgres")
    name = server.create()
    yield PostgresURL.of(server.url(name))
    server.drop(name)


def test_tokens_that_operators_took_before_are_counted(
    unmigrated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the trail, when an older database is opened."""
    older = queries.migrations()[:6]

    def fill(connection: Any, _now: int, _: None) -> None:
        connection.execute("INSERT INTO realms (id, tenant, mode) VALUES (1, 'acme', 'test')")
        for number, fences in ((1, 1), (2, 4)):
            connection.execute(
                "INSERT INTO effects (id, realm_id, namespace, effect_key, status, fence_token,"
                " lease_token_hash, lease_duration_ms, created_at, updated_at)"
                " VALUES (?, 1, 'ns', ?, 'RESET', ?, ?, 1, 1, 1)",
                (number, str(number), fences, b""),
            )
        kinds = ["LEASE_GRANTED", "LEASE_RELEASED", "LEASE_GRANTED", "RESOLVED_DONE"]
        for fence, kind in enumerate(kinds, 1):
            connection.execute(
                "INSERT INTO effect_events (effect_id, type, at, fence_token) VALUES (2, ?, 1, ?)",
                (kind, fence),
            )

    with monkeypatch.context() as patch:
        patch.setattr(queries, "migrations", lambda: older)
        with store_on(unmigrated) as store:
            store.write_blocking(fill, None)
    with store_on(unmigrated) as store:
        found = [
            store.read_blocking(get, {"realm_id": 1, "namespace": "ns", "effect_key": key})
            for key in ("1", "2")
        ]
    assert [1, 2] == [effect.attempts for effect in found if effect is not None]


async def test_its_last_holder_is_refused_then(
    ledger: Ledger, effect: EffectId, lost: Holder
) -> None:
    """A commit does not count as a repeat, not even under the new fence."""
    await ledger.resolve(effect, result="null", **WHY)
    for fence in (1, 2):
        zombie = Holder(effect, fence, lost.lease_token)
        with pytest.raises(StaleFenceError):
            await ledger.commit(zombie, result="1")
        with pytest.raises(StaleFenceError):
            await ledger.fail(zombie, error="1")


async def test_an_uncertain_effect_was_not_done(
    ledger: Ledger, effect: EffectId, lost: Holder
) -> None:
    """The next attempt may act; the last holder may not."""
    found = await ledger.resolve(effect, result=None, **WHY)
    assert (Status.RESET, 1) == (found.status, found.fence_token)
    expected = [("LEASE_GRANTED", 1), ("LEASE_EXPIRED", 1), ("RESOLVED_NOT_DONE", 1)]
    assert expected == await trail(ledger, effect)
    with pytest.raises(StaleFenceError):
        await ledger.commit(lost, result="1")
    _, grant = await granted(ledger, effect)
    assert (2, PriorState.RESET) == (grant.fence_token, grant.prior_state)


@pytest.mark.parametrize("result", ["1", None])
async def test_only_what_is_uncertain_is_resolved(
    ledger: Ledger, effect: EffectId, result: str | None
) -> None:
    """Not what is held, settled or reset, nor what there is not; nothing changes then."""
    with pytest.raises(EffectNotFoundError):
        await ledger.resolve(effect, result=result, **WHY)
    holder, _ = await granted(ledger, effect)
    with pytest.raises(NotResolvableError, match="RUNNING"):
        await ledger.resolve(effect, result=result, **WHY)
    await ledger.fail(holder, error="1")
    with pytest.raises(NotResolvableError, match="FAILED"):
        await ledger.resolve(effect, result=result, **WHY)
    await ledger.reset(effect, **WHY)
    with pytest.raises(NotResolvableError, match="RESET"):
        await ledger.resolve(effect, result=result, **WHY)
    holder, _ = await granted(ledger, effect)
    await ledger.commit(holder, result="2")
    with pytest.raises(NotResolvableError, match="COMMITTED"):
        await ledger.resolve(effect, result=result, **WHY)
    assert "2" == (await ledger.get(effect)).result


# -- release --------------------------------------------------------------------------------------


async def test_a_released_lease_is_taken_from_its_holder(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """Whatever it sends is refused, and the next attempt observes first."""
    holder, _ = await granted(ledger, effect, agent_id="a")
    clock.advance(1_000)
    found = await ledger.release(effect, **WHY)
    assert (Status.EXPIRED, 2, START + 1_000) == (
        found.status,
        found.fence_token,
        found.lease_expires_at,
    )
    assert ("LEASE_RELEASED", None, {**WHY, "holder": "a"}) == await last(ledger, effect)
    for fence in (1, 2):
        zombie = Holder(effect, fence, holder.lease_token)
        for request in (
            ledger.renew(zombie),
            ledger.commit(zombie, result="1"),
            ledger.fail(zombie, error="1"),
            ledger.report_observe(zombie, hit=True),
        ):
            with pytest.raises(StaleFenceError):
                await request
    _, grant = await granted(ledger, effect)
    assert (3, PriorState.EXPIRED) == (grant.fence_token, grant.prior_state)
    expected = [("LEASE_GRANTED", 1), ("LEASE_RELEASED", 2), ("LEASE_GRANTED", 3)]
    assert expected == await trail(ledger, effect)


async def test_what_was_released_is_reset_and_resolved(ledger: Ledger, effect: EffectId) -> None:
    """It is uncertain like any other; that its lease ran out is not claimed."""
    await granted(ledger, effect)
    await ledger.release(effect, **WHY)
    await ledger.reset(effect, **WHY)
    await granted(ledger, effect)
    await ledger.release(effect, **WHY)
    await ledger.resolve(effect, result="1", **WHY)
    kinds = [kind for kind, _ in await trail(ledger, effect)]
    expected = ["LEASE_GRANTED", "LEASE_RELEASED", "RESET"]
    assert [*expected, "LEASE_GRANTED", "LEASE_RELEASED", "RESOLVED_DONE"] == kinds


async def test_only_a_held_lease_is_released(
    ledger: Ledger, effect: EffectId, lost: Holder
) -> None:
    """Not one that has run out, nor one that there is not."""
    with pytest.raises(NotHeldError, match="EXPIRED"):
        await ledger.release(effect, **WHY)
    await ledger.commit(lost, result="1")
    with pytest.raises(NotHeldError, match="COMMITTED"):
        await ledger.release(effect, **WHY)
    with pytest.raises(EffectNotFoundError):
        await ledger.release(EffectId(effect.realm_id, "ns", "other"), **WHY)


# -- what the operator had seen -------------------------------------------------------------------


async def test_what_has_moved_on_is_left_alone(
    ledger: Ledger, effect: EffectId, lost: Holder, clock: ServerClock
) -> None:
    """The operator looked at fence 1; since then somebody has begun, and has run out as well."""
    await granted(ledger, effect, lease_duration_ms=5_000)
    for request in (
        ledger.release(effect, seen_fence=1, **WHY),
        ledger.reset(effect, seen_fence=1, **WHY),
    ):
        with pytest.raises(EffectChangedError, match="fence token 2"):
            await request
    clock.advance(5_000)
    for result in ("1", None):
        with pytest.raises(EffectChangedError):
            await ledger.resolve(effect, result=result, seen_fence=1, **WHY)
    assert Status.EXPIRED == (await ledger.get(effect)).status
    assert Status.RESET == (await ledger.reset(effect, seen_fence=2, **WHY)).status


async def test_a_refused_reset_tells_the_state_by_the_clock(
    ledger: Ledger, effect: EffectId
) -> None:
    """As lists show it."""
    await granted(ledger, effect)
    with pytest.raises(NotResettableError, match="RUNNING"):
        await ledger.reset(effect, **WHY)
