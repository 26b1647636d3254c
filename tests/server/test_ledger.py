"""Every arrow of the state machine, and every refusal. Source: contracts, Verity, "States"."""

from __future__ import annotations

import json

import attrs
import pytest

from quatrain.server.ledger import (
    DEFAULT_LEASE_MS,
    Cached,
    EffectId,
    EffectNotFoundError,
    EventType,
    Holder,
    LeaseExpiredError,
    LeaseHeldError,
    Ledger,
    NotResettableError,
    Observed,
    PriorState,
    Renewed,
    Settled,
    StaleFenceError,
    Status,
)

from ._support import START, ServerClock, granted, trail


@pytest.fixture
def effect(realm: int) -> EffectId:
    return EffectId(realm, "ns", "refund:1")


# -- lease ----------------------------------------------------------------------------------------


async def test_the_first_lease_is_granted_over_nothing(ledger: Ledger, effect: EffectId) -> None:
    """(none) → RUNNING, fence 1, for the default duration."""
    _, grant = await granted(ledger, effect, agent_id="a")
    assert grant.fence_token == 1
    assert grant.prior_state is PriorState.NONE
    assert grant.lease_expires_at == START + DEFAULT_LEASE_MS
    assert (await ledger.get(effect)).status is Status.RUNNING
    assert await trail(ledger, effect) == [("LEASE_GRANTED", 1)]


async def test_a_held_lease_is_refused_and_its_holder_named(
    ledger: Ledger, effect: EffectId
) -> None:
    """RUNNING stays with its holder, even against another request of the same agent."""
    await granted(ledger, effect, agent_id="a", lease_duration_ms=60_000)
    with pytest.raises(LeaseHeldError) as caught:
        await ledger.lease(effect, agent_id="a")
    holder = (caught.value.agent_id, caught.value.fence_token, caught.value.lease_expires_at)
    assert holder == ("a", 1, START + 60_000)


async def test_a_lease_holds_until_its_last_millisecond(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """At the expiry itself the lease is gone, and not before."""
    await granted(ledger, effect)
    clock.advance(DEFAULT_LEASE_MS - 1)
    with pytest.raises(LeaseHeldError):
        await ledger.lease(effect)
    clock.advance(1)
    assert (await ledger.get(effect)).status is Status.EXPIRED
    _, grant = await granted(ledger, effect)
    assert grant.prior_state is PriorState.EXPIRED


async def test_an_expired_lease_goes_to_the_next_with_a_higher_fence(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """EXPIRED → RUNNING; the trail names the agent whose lease ran out, and when."""
    await granted(ledger, effect, agent_id="a", run_id="r1")
    clock.advance(DEFAULT_LEASE_MS + 5)
    _, grant = await granted(ledger, effect, agent_id="b", run_id="r2")
    assert grant.fence_token == 2
    page = await ledger.events(effect, limit=10)
    assert [(e.type, e.fence_token, e.agent_id, e.run_id) for e in page.items] == [
        ("LEASE_GRANTED", 1, "a", "r1"),
        ("LEASE_EXPIRED", 1, "a", "r1"),
        ("LEASE_GRANTED", 2, "b", "r2"),
    ]
    assert json.loads(page.items[1].detail or "") == {"leaseExpiredAt": "2027-01-15T08:00:30.000Z"}


async def test_a_settled_effect_answers_every_later_lease(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """COMMITTED is final: the cached result, no matter how much later, and no trace of asking."""
    holder, _ = await granted(ledger, effect)
    await ledger.commit(holder, result='{"id":7}')
    clock.advance(10**9)
    assert await ledger.lease(effect) == Cached(1, 1, Status.COMMITTED, '{"id":7}')
    assert await trail(ledger, effect) == [("LEASE_GRANTED", 1), ("COMMITTED", 1)]


async def test_a_failed_effect_answers_every_later_lease_with_its_error(
    ledger: Ledger, effect: EffectId
) -> None:
    """FAILED is final until a reset."""
    holder, _ = await granted(ledger, effect)
    await ledger.fail(holder, error='{"name":"E"}')
    assert await ledger.lease(effect) == Cached(1, 1, Status.FAILED, '{"name":"E"}')


async def test_a_new_lease_keeps_what_it_does_not_say_and_clears_what_failed(
    ledger: Ledger, effect: EffectId
) -> None:
    """Names and input stay; agent and run are the new holder's; the old error goes."""
    holder, _ = await granted(
        ledger,
        effect,
        agent_id="a",
        run_id="r1",
        effect_name="refund",
        workflow_name="w",
        case_id="c",
        input_json="[1]",
    )
    await ledger.fail(holder, error='"no"', source="acted")
    await ledger.reset(effect, reason="try again", by="ops")
    await granted(ledger, effect)
    found = await ledger.get(effect)
    kept = (found.effect_name, found.workflow_name, found.case_id, found.input_json)
    assert kept == ("refund", "w", "c", "[1]")
    cleared = (found.agent_id, found.run_id, found.error, found.source)
    assert cleared == (None, None, None, None)


async def test_namespaces_and_realms_do_not_meet(ledger: Ledger, effect: EffectId) -> None:
    """The same key in another namespace is another effect."""
    await granted(ledger, effect)
    _, grant = await granted(ledger, attrs.evolve(effect, namespace="other"))
    assert grant.prior_state is PriorState.NONE


# -- commit and fail ------------------------------------------------------------------------------


async def test_a_commit_settles_the_effect(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """RUNNING → COMMITTED, with result, source and time."""
    holder, _ = await granted(ledger, effect, agent_id="a", run_id="r1")
    clock.advance(250)
    assert await ledger.commit(holder, result="[1]", source="acted") == Settled(1, 1, False)
    found = await ledger.get(effect)
    assert found.status is Status.COMMITTED
    assert (found.result, found.source, found.lease_expires_at) == ("[1]", "acted", None)
    assert found.updated_at == START + 250
    event = (await ledger.events(effect, limit=10)).items[-1]
    assert (event.agent_id, event.run_id, event.detail) == ("a", "r1", '{"source": "acted"}')


async def test_the_winning_commit_again_is_already_committed(
    ledger: Ledger, effect: EffectId
) -> None:
    """The repeat after a lost answer changes nothing: the first result stands, audited once."""
    holder, _ = await granted(ledger, effect)
    await ledger.commit(holder, result="1")
    assert await ledger.commit(holder, result="2") == Settled(1, 1, True)
    assert (await ledger.get(effect)).result == "1"
    assert await trail(ledger, effect) == [("LEASE_GRANTED", 1), ("COMMITTED", 1)]


async def test_a_late_commit_is_accepted_while_nobody_has_begun(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """EXPIRED → COMMITTED by the newest fence: the action happened."""
    holder, _ = await granted(ledger, effect)
    clock.advance(DEFAULT_LEASE_MS * 10)
    assert await ledger.commit(holder, result="1") == Settled(1, 1, False)


async def test_a_zombie_can_write_nothing(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """An older fence is refused on commit, fail, renew and report, before and after the end."""
    zombie, _ = await granted(ledger, effect)
    clock.advance(DEFAULT_LEASE_MS)
    holder, _ = await granted(ledger, effect)
    for _ in range(2):
        with pytest.raises(StaleFenceError, match="fence token 1 is not the newest, which is 2"):
            await ledger.commit(zombie, result="1")
        with pytest.raises(StaleFenceError):
            await ledger.fail(zombie, error="1")
        with pytest.raises(StaleFenceError):
            await ledger.renew(zombie)
        with pytest.raises(StaleFenceError):
            await ledger.report_observe(zombie, hit=True)
        await ledger.commit(holder, result="2")
    assert (await ledger.get(effect)).result == "2"


async def test_a_fence_from_the_future_is_refused(ledger: Ledger, effect: EffectId) -> None:
    """Only the newest token counts, not any high one."""
    holder, _ = await granted(ledger, effect)
    with pytest.raises(StaleFenceError):
        await ledger.commit(attrs.evolve(holder, fence_token=2), result="1")


async def test_the_lease_token_must_be_the_one_that_came_with_the_fence(
    ledger: Ledger, effect: EffectId
) -> None:
    """Knowing the fence is not enough, not even to repeat the commit."""
    holder, _ = await granted(ledger, effect)
    impostor = Holder(effect, holder.fence_token, "guessed")
    with pytest.raises(StaleFenceError, match="lease token"):
        await ledger.commit(impostor, result="1")
    await ledger.commit(holder, result="2")
    with pytest.raises(StaleFenceError, match="lease token"):
        await ledger.commit(impostor, result="2")


async def test_a_failure_is_recorded_once(ledger: Ledger, effect: EffectId) -> None:
    """RUNNING → FAILED; the repeat is already failed, and the first error stands."""
    holder, _ = await granted(ledger, effect)
    assert await ledger.fail(holder, error='"a"', source="acted") == Settled(1, 1, False)
    (_, line) = (await ledger.events(effect, limit=9)).items
    assert line.detail == '{"source": "acted", "error": "a"}'
    assert await ledger.fail(holder, error='"b"') == Settled(1, 1, True)
    found = await ledger.get(effect)
    assert (found.status, found.error, found.source) == (Status.FAILED, '"a"', "acted")
    assert await trail(ledger, effect) == [("LEASE_GRANTED", 1), ("FAILED", 1)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ('{"name":"E","message":"m","stack":"s"}', "E: m"),
        ('{"name":7,"message":"m"}', "m"),
        ('{"code":7}', '{"code":7}'),
        ('"a\\u0000b\\ud800"', "a\x00b\ud800"),
        ('""', '""'),
        ("null", "null"),
        (f'"{"x" * 1_000}"', "x" * 1_000),
        (f'"{"x" * 1_001}"', f"{'x' * 999}…"),
        (f"[{'1,' * 9_999}1]", f"[{'1,' * 499}…"),
        ("[" * 20_000, f"{'[' * 999}…"),
    ],
)
async def test_the_trail_keeps_each_error_in_short(
    ledger: Ledger, effect: EffectId, error: str, expected: str
) -> None:
    """After the next lease, too, which forgets the error."""
    holder, _ = await granted(ledger, effect)
    await ledger.fail(holder, error=error)
    await ledger.reset(effect, reason="r", by="b")
    await granted(ledger, effect)
    line = (await ledger.events(effect, limit=9)).items[1]
    assert (EventType.FAILED, {"error": expected}) == (line.type, json.loads(line.detail or ""))


async def test_what_is_settled_one_way_is_not_settled_the_other(
    ledger: Ledger, effect: EffectId
) -> None:
    """A fail after the commit is refused; so is a commit after the fail."""
    holder, _ = await granted(ledger, effect)
    await ledger.commit(holder, result="1")
    with pytest.raises(StaleFenceError, match="the effect is COMMITTED"):
        await ledger.fail(holder, error="1")
    other, _ = await granted(ledger, attrs.evolve(effect, effect_key="refund:2"))
    await ledger.fail(other, error="1")
    with pytest.raises(StaleFenceError, match="the effect is FAILED"):
        await ledger.commit(other, result="1")


# -- renew ----------------------------------------------------------------------------------------


async def test_a_renewal_counts_from_now(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """By the lease's own duration, or the one that is asked for."""
    holder, _ = await granted(ledger, effect, lease_duration_ms=20_000)
    clock.advance(10_000)
    assert await ledger.renew(holder) == Renewed(START + 30_000)
    assert await ledger.renew(holder, extension_ms=60_000) == Renewed(START + 70_000)
    assert [event for event, _ in await trail(ledger, effect)][1:] == ["LEASE_RENEWED"] * 2


async def test_a_renewal_never_shortens(ledger: Ledger, effect: EffectId) -> None:
    """A shorter extension leaves the later end."""
    holder, _ = await granted(ledger, effect, lease_duration_ms=60_000)
    assert await ledger.renew(holder, extension_ms=5_000) == Renewed(START + 60_000)


async def test_a_lease_that_ran_out_is_not_renewed(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """Another agent may be about to begin: gone is gone, from the very millisecond."""
    holder, _ = await granted(ledger, effect)
    clock.advance(DEFAULT_LEASE_MS)
    with pytest.raises(LeaseExpiredError):
        await ledger.renew(holder)


async def test_a_settled_effect_has_no_lease_to_renew(ledger: Ledger, effect: EffectId) -> None:
    """COMMITTED: refused as stale."""
    holder, _ = await granted(ledger, effect)
    await ledger.commit(holder, result="1")
    with pytest.raises(StaleFenceError):
        await ledger.renew(holder)


# -- observe --------------------------------------------------------------------------------------


async def test_observe_reports_change_nothing_but_the_trail(
    ledger: Ledger, effect: EffectId
) -> None:
    """Hit and miss, with their durations; also after the commit, as they come in the background."""
    holder, _ = await granted(ledger, effect, agent_id="a")
    before = await ledger.get(effect)
    assert await ledger.report_observe(holder, hit=False, duration_ms=12) == Observed(1, 1)
    assert await ledger.get(effect) == before
    await ledger.commit(holder, result="1")
    await ledger.report_observe(holder, hit=True)
    events = (await ledger.events(effect, limit=10)).items
    assert [(event.type, event.detail) for event in events[1:]] == [
        ("OBSERVE_MISS", '{"durationMs": 12}'),
        ("COMMITTED", None),
        ("OBSERVE_HIT", None),
    ]


# -- reset ----------------------------------------------------------------------------------------


async def test_a_failed_effect_may_be_reset(ledger: Ledger, effect: EffectId) -> None:
    """FAILED → RESET → RUNNING; who and why stand in the trail, the error stays to be read."""
    holder, _ = await granted(ledger, effect)
    await ledger.fail(holder, error='"no"')
    found = await ledger.reset(effect, reason="fixed it", by="ops")
    assert (found.status, found.error) == (Status.RESET, '"no"')
    _, grant = await granted(ledger, effect)
    assert (grant.fence_token, grant.prior_state) == (2, PriorState.RESET)
    events = (await ledger.events(effect, limit=10)).items
    kinds = [event.type for event in events]
    assert kinds == ["LEASE_GRANTED", "FAILED", "RESET", "LEASE_GRANTED"]
    assert json.loads(events[2].detail or "") == {"reason": "fixed it", "by": "ops"}


async def test_an_expired_effect_may_be_reset(
    ledger: Ledger, effect: EffectId, clock: ServerClock
) -> None:
    """EXPIRED → RESET, and the run-out lease is noted; its holder can't commit any more."""
    holder, _ = await granted(ledger, effect, agent_id="a")
    clock.advance(DEFAULT_LEASE_MS)
    await ledger.reset(effect, reason="it never happened", by="ops")
    with pytest.raises(StaleFenceError, match="the effect is RESET"):
        await ledger.commit(holder, result="1")
    _, grant = await granted(ledger, effect)
    assert grant.prior_state is PriorState.RESET
    assert await trail(ledger, effect) == [
        ("LEASE_GRANTED", 1),
        ("LEASE_EXPIRED", 1),
        ("RESET", 1),
        ("LEASE_GRANTED", 2),
    ]


async def test_nothing_else_may_be_reset(ledger: Ledger, effect: EffectId) -> None:
    """Not while somebody works, not what has happened, not twice."""
    holder, _ = await granted(ledger, effect)
    with pytest.raises(NotResettableError, match="RUNNING"):
        await ledger.reset(effect, reason="r", by="ops")
    await ledger.commit(holder, result="1")
    with pytest.raises(NotResettableError, match="COMMITTED"):
        await ledger.reset(effect, reason="r", by="ops")
    other = attrs.evolve(effect, effect_key="refund:2")
    failed, _ = await granted(ledger, other)
    await ledger.fail(failed, error="1")
    await ledger.reset(other, reason="r", by="ops")
    with pytest.raises(NotResettableError, match="RESET"):
        await ledger.reset(other, reason="r", by="ops")


async def test_what_is_not_there_is_not_found(ledger: Ledger, effect: EffectId) -> None:
    """Every operation but lease needs an effect."""
    nobody = Holder(effect, 1, "token")
    for request in (
        ledger.commit(nobody, result="1"),
        ledger.fail(nobody, error="1"),
        ledger.renew(nobody),
        ledger.report_observe(nobody, hit=True),
        ledger.reset(effect, reason="r", by="ops"),
        ledger.get(effect),
        ledger.events(effect, limit=1),
    ):
        with pytest.raises(EffectNotFoundError):
            await request


def test_a_holder_does_not_show_its_token(realm: int) -> None:
    """Lease tokens are secrets."""
    assert "s3cret" not in repr(Holder(EffectId(realm, "ns", "k"), 1, "s3cret"))


@pytest.mark.on_file
async def test_the_lease_token_is_not_in_the_database(
    ledger: Ledger, effect: EffectId, database: object
) -> None:
    """Only its hash is kept."""
    from pathlib import Path

    holder, _ = await granted(ledger, effect)
    files = [p.read_bytes() for p in Path(str(database)).parent.iterdir()]
    assert [] == [content for content in files if holder.lease_token.encode() in content]
