# Generated from tests/_async/test_conflict.py by scripts/make_sync.py. Do not edit.
"""Another agent holds the lease."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quatrain.verity import ConflictRetryConfig, LeaseConflictError, VerityClient

from .._doubles import FakeLedger, ManualClock

Connect = Callable[..., VerityClient]
QUICK = ConflictRetryConfig(initial_delay_s=0.5, max_delay_s=2.0, jitter=False)


def receipt() -> str:
    return "receipt"


def never() -> str:
    raise AssertionError("acted, and must not")


def test_it_is_asked_for_again_until_it_is_free(
    connect: Connect, ledger: FakeLedger, clock: ManualClock
) -> None:
    """After ever longer waits; then act runs once."""
    ledger.hold(seconds=6)
    verity = connect(conflict_retry=QUICK)
    assert verity.protect("k", act=receipt) == "receipt"
    assert ledger.verbs == [*["lease"] * 6, "commit"]
    assert clock.slept[:5] == [0.5, 1.0, 2.0, 2.0, 2.0]


def test_the_other_agents_result_is_answered(connect: Connect, ledger: FakeLedger) -> None:
    """It committed while this one waited."""
    ledger.hold()

    def settle() -> None:
        ledger.effect().update(status="COMMITTED", value="theirs")

    ledger.faults["lease"].extend([None, settle])
    assert connect(conflict_retry=QUICK).protect("k", act=never) == "theirs"
    assert ledger.verbs == ["lease", "lease"]


def test_after_the_last_attempt_it_is_a_conflict(connect: Connect, ledger: FakeLedger) -> None:
    """Twelve requests in all, by default."""
    ledger.hold()
    config = ConflictRetryConfig(initial_delay_s=0.01, max_delay_s=0.01)
    with pytest.raises(LeaseConflictError) as caught:
        connect(conflict_retry=config).protect("k", act=never)
    assert len(ledger.verbs) == 12
    assert caught.value.effect_key == "k"
    assert caught.value.body == {"code": "lease_conflict", "message": "held"}
    assert caught.value.code == "lease_conflict"
    assert caught.value.status_code == 409


def test_it_is_thrown_at_once_when_told_so(
    verity: VerityClient, ledger: FakeLedger, clock: ManualClock
) -> None:
    """The caller has better things to do."""
    ledger.hold()
    with pytest.raises(LeaseConflictError):
        verity.protect("k", act=never, on_conflict="throw")
    assert ledger.verbs == ["lease"]
    assert clock.slept == []


def test_it_is_thrown_at_once_when_retries_are_disabled(
    connect: Connect, ledger: FakeLedger
) -> None:
    """For a whole client."""
    ledger.hold()
    with pytest.raises(LeaseConflictError):
        connect(conflict_retry=ConflictRetryConfig(enabled=False)).protect("k", act=never)
    assert ledger.verbs == ["lease"]


def test_the_lease_counts_from_the_request_that_got_it(
    connect: Connect, ledger: FakeLedger, clock: ManualClock
) -> None:
    """Not from the first that was refused."""
    ledger.hold(seconds=6)
    left: list[float] = []
    connect(conflict_retry=QUICK).protect(
        "k", act=receipt, on_lease=lambda lease: left.append(lease.remaining())
    )
    assert left == [30.0]
