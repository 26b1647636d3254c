"""A lease is kept alive beside the action, and what happens when it can't be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain.verity import AsyncVerityClient, EffectContext, Lease, LeaseLostError

from .._doubles import AsyncManualClock, FakeLedger

Connect = Callable[..., AsyncVerityClient]


def lease_of(context: EffectContext) -> Lease:
    assert context.lease is not None
    return context.lease


async def test_the_lease_is_renewed_for_as_long_as_the_action_runs(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """A renewal falls due at 0.65 of each 30 s."""

    async def act(context: EffectContext) -> float:
        await clock.advance(100)
        assert not lease_of(context).lost.is_set()
        return lease_of(context).remaining()

    assert await verity.protect("k", act=act) == pytest.approx(27.5)
    assert ledger.verbs == ["lease", *["renew"] * 5, "commit"]
    assert ledger.bodies("renew")[0] == {
        "effectKey": "k",
        "fenceToken": 1,
        "leaseToken": "token-1",
    }


@pytest.mark.parametrize(
    ("duration_ms", "fraction", "first"),
    [
        (None, 0.65, 19.5),
        (120_000, 0.65, 78.0),
        (30_000, 0.9, 27.0),
        (30_000, 5.0, 27.0),
        (30_000, 0.0, 9.0),
        (5_000, 0.3, 3.0),
        (5_000, 0.65, 3.25),
    ],
)
async def test_when_the_first_renewal_falls_due(
    connect: Connect,
    ledger: FakeLedger,
    clock: AsyncManualClock,
    duration_ms: int | None,
    fraction: float,
    first: float,
) -> None:
    """At its fraction, clamped to 0.3 and 0.9, never sooner than 3 s."""

    async def act() -> list[int]:
        await clock.advance(first - 0.01)
        before = ledger.verbs.count("renew")
        await clock.advance(0.02)
        return [before, ledger.verbs.count("renew")]

    verity = connect(renew_at_fraction=fraction)
    assert await verity.protect("k", act=act, lease_duration_ms=duration_ms) == [0, 1]


async def test_it_is_not_renewed_when_told_so(
    connect: Connect, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """The lease then ends when it ends."""

    async def act(context: EffectContext) -> None:
        await clock.advance(29)
        assert not lease_of(context).lost.is_set()
        await clock.advance(2)
        context.raise_if_lost()

    with pytest.raises(LeaseLostError, match="ran out"):
        await connect(auto_renew=False).protect("k", act=act)
    assert ledger.verbs == ["lease"]


async def test_nothing_is_renewed_after_the_end(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """Neither after a success nor after a failure."""

    async def act() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        await verity.protect("k", act=act)
    await clock.advance(100)
    assert ledger.verbs == ["lease", "fail"]


@pytest.mark.parametrize("status", [403, 404, 409, 410])
async def test_a_ledger_that_says_no_ends_it(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, status: int
) -> None:
    """With the first renewal; nothing is recorded."""
    ledger.always["renew"] = status
    noticed: list[Any] = []

    async def act(context: EffectContext) -> None:
        try:
            await clock.advance(20)
            context.raise_if_lost()
        finally:
            noticed.append(lease_of(context).lost.is_set())
            noticed.append(lease_of(context).remaining())
        raise AssertionError("went on")

    with pytest.raises(LeaseLostError, match=str(status)) as caught:
        await verity.protect("k", act=act)
    assert noticed == [True, 0.0]
    assert (caught.value.effect_key, caught.value.fence_token) == ("k", 1)
    assert caught.value.has_result is False
    assert ledger.verbs == ["lease", "renew"]


@pytest.mark.parametrize(
    "fault",
    [500, 503, 429, 401, httpx.ConnectError("down"), httpx.ReadTimeout("slow"), "lost"],
    ids=str,
)
async def test_a_passing_fault_is_ridden_out(
    verity: AsyncVerityClient,
    ledger: FakeLedger,
    clock: AsyncManualClock,
    caplog: pytest.LogCaptureFixture,
    fault: Any,
) -> None:
    """It is tried again soon; each failure is worth a warning."""
    ledger.faults["renew"].extend([fault] * 3)

    async def act(context: EffectContext) -> float:
        await clock.advance(19.6)
        await clock.advance(4)
        context.raise_if_lost()
        return lease_of(context).remaining()

    assert await verity.protect("k", act=act) > 20
    assert ledger.verbs == ["lease", *["renew"] * 4, "commit"]
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 3
    assert "at risk" in warnings[0]


async def test_renewals_that_go_on_failing_end_at_the_deadline(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """The last confirmed one, tried ever sooner until then."""
    ledger.always["renew"] = 503

    async def act(context: EffectContext) -> None:
        await clock.advance(29.9)
        assert not lease_of(context).lost.is_set()
        await clock.advance(0.2)
        context.raise_if_lost()

    with pytest.raises(LeaseLostError, match="ran out"):
        await verity.protect("k", act=act)
    assert ledger.verbs.count("renew") > 10
    assert {"commit", "fail"} & set(ledger.verbs) == set()


async def test_a_suspended_machine_has_lost_its_lease(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """Known at once, also before the renewal that was due."""

    async def act(context: EffectContext) -> None:
        await clock.advance(1)
        clock.jump(3_600)
        assert lease_of(context).lost.is_set()
        await clock.advance(1)
        context.raise_if_lost()

    with pytest.raises(LeaseLostError, match="ran out"):
        await verity.protect("k", act=act)
    assert ledger.verbs == ["lease"]


async def test_a_lease_that_came_too_late_is_not_acted_under(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """It counts from before its request was sent."""
    ledger.faults["lease"].append(lambda: clock.jump(31))

    async def act() -> None:
        raise AssertionError("acted without a lease")

    with pytest.raises(LeaseLostError):
        await verity.protect("k", act=act)
    assert ledger.verbs == ["lease"]


async def test_the_lease_counts_from_before_its_request(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """The server may have begun to count then; a renewal's as well."""
    ledger.faults["lease"].append(lambda: clock.jump(4))
    ledger.faults["renew"].append(lambda: clock.jump(3))
    left: list[float] = []

    async def act(context: EffectContext) -> None:
        left.append(lease_of(context).remaining())
        await clock.advance(15.6)
        left.append(lease_of(context).remaining())

    await verity.protect("k", act=act)
    assert left == pytest.approx([26.0, 27.0])


async def test_a_renewal_confirmed_too_late_does_not_revive_the_lease(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """The server may have granted it to somebody else in between."""

    def confirm_late() -> httpx.Response:
        clock.jump(30)
        body = {"status": "renewed", "leaseExpiresAt": "2030-01-01T00:00:00.000Z"}
        return httpx.Response(200, json=body)

    ledger.always["renew"] = confirm_late
    seen: list[bool] = []

    async def act(context: EffectContext) -> None:
        try:
            await clock.advance(20)
        finally:
            seen.append(lease_of(context).lost.is_set())
        context.raise_if_lost()

    with pytest.raises(LeaseLostError, match="ran out"):
        await verity.protect("k", act=act)
    assert seen == [True]


async def test_a_renewals_request_ends_while_the_lease_is_held(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """Half of what is left, and no longer than the client's time-out."""
    ledger.faults["renew"].extend([503] * 3)

    async def act() -> None:
        await clock.advance(19.6)
        await clock.advance(3)

    await verity.protect("k", act=act)
    timeouts = [
        request.extensions["timeout"]["read"]
        for request in ledger.http
        if request.url.path.endswith("/renew")
    ]
    assert timeouts == pytest.approx([5.25, 4.75, 4.25, 3.75])
    commit = next(r for r in ledger.http if r.url.path.endswith("/commit"))
    assert commit.extensions["timeout"]["read"] == 20.0


async def test_two_leases_are_renewed_apart(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """An inner effect's end does not end the outer one's renewals."""

    async def inner() -> None:
        await clock.advance(25)

    async def outer() -> None:
        await verity.protect("inner", act=inner)
        await clock.advance(25)

    await verity.protect("outer", act=outer)
    keys = [body["effectKey"] for body in ledger.bodies("renew")]
    assert sorted(keys) == ["inner", "outer", "outer"]


async def test_the_lease_shows_how_it_stands(
    verity: AsyncVerityClient, clock: AsyncManualClock
) -> None:
    """In its repr, for logs."""
    shown: list[str] = []

    async def act(context: EffectContext) -> None:
        shown.append(repr(context.lease))
        clock.jump(60)
        shown.append(repr(context.lease))
        shown.append(repr(context))

    await verity.protect("k", act=act)
    assert shown == [
        "<Lease of 'k', fence 1, 30.0 s left>",
        "<Lease of 'k', fence 1, lost>",
        "<EffectContext ns/k under <Lease of 'k', fence 1, lost>>",
    ]


async def test_a_lease_counts_from_the_attempt_that_got_it(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """Not from the first, which surely never arrived and took longer than a lease lasts."""

    def hang() -> Exception:
        clock.jump(40)
        return httpx.ConnectTimeout("no way there")

    async def act(context: EffectContext) -> float:
        assert context.lease is not None
        return context.lease.remaining()

    ledger.faults["lease"].append(hang)
    assert await verity.protect("k", act=act) == 30.0
