"""Another agent holds the lease."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quatrain.verity import AsyncVerityClient, ConflictRetryConfig, LeaseConflictError

from .._doubles import AsyncManualClock, FakeLedger

Connect = Callable[..., AsyncVerityClient]
QUICK = ConflictRetryConfig(initial_delay_s=0.5, max_delay_s=2.0, jitter=False)


async def receipt() -> str:
    return "receipt"


async def never() -> str:
    raise AssertionError("acted, and must not")


async def test_it_is_asked_for_again_until_it_is_free(
    connect: Connect, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """After ever longer waits; then act runs once."""
    ledger.hold(seconds=6)
    verity = connect(conflict_retry=QUICK)
    assert await verity.protect("k", act=receipt) == "receipt"
    assert ledger.verbs == [*["lease"] * 6, "commit"]
    assert clock.slept[:5] == [0.5, 1.0, 2.0, 2.0, 2.0]


async def test_the_other_agents_result_is_answered(connect: Connect, ledger: FakeLedger) -> None:
    """It committed while this one waited."""
    ledger.hold()

    def settle() -> None:
        ledger.effect().update(status="COMMITTED", value="theirs")

    ledger.faults["lease"].extend([None, settle])
    assert await connect(conflict_retry=QUICK).protect("k", act=never) == "theirs"
    assert ledger.verbs == ["lease", "lease"]


async def test_after_the_last_attempt_it_is_a_conflict(
    connect: Connect, ledger: FakeLedger
) -> None:
    """Twelve requests in all, by default."""
    ledger.hold()
    config = ConflictRetryConfig(initial_delay_s=0.01, max_delay_s=0.01)
    with pytest.raises(LeaseConflictError) as caught:
        await connect(conflict_retry=config).protect("k", act=never)
    assert len(ledger.verbs) == 12
    assert caught.value.effect_key == "k"
    assert caught.value.body == {"code": "lease_conflict", "message": "held"}
    assert caught.value.code == "lease_conflict"
    assert caught.value.status_code == 409


async def test_it_is_thrown_at_once_when_told_so(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """The caller has better things to do."""
    ledger.hold()
    with pytest.raises(LeaseConflictError):
        await verity.protect("k", act=never, on_conflict="throw")
    assert ledger.verbs == ["lease"]
    assert clock.slept == []


async def test_it_is_thrown_at_once_when_retries_are_disabled(
    connect: Connect, ledger: FakeLedger
) -> None:
    """For a whole client."""
    ledger.hold()
    with pytest.raises(LeaseConflictError):
        await connect(conflict_retry=ConflictRetryConfig(enabled=False)).protect("k", act=never)
    assert ledger.verbs == ["lease"]


async def test_the_lease_counts_from_the_request_that_got_it(
    connect: Connect, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """Not from the first that was refused."""
    ledger.hold(seconds=6)
    left: list[float] = []
    await connect(conflict_retry=QUICK).protect(
        "k", act=receipt, on_lease=lambda lease: left.append(lease.remaining())
    )
    assert left == [30.0]
