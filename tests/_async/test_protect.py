"""What one run of protect may come to."""

from __future__ import annotations

import pytest

from quatrain.verity import AsyncVerityClient, CommitUncertainError, EffectContext

from .._doubles import AsyncManualClock, FakeLedger


async def test_acts_once_and_answers_the_recorded_result_after_that(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """The second call gets the first one's result, without acting."""
    acted = []

    async def act() -> str:
        acted.append(1)
        return "receipt"

    assert await verity.protect("k", act=act) == "receipt"
    assert await verity.protect("k", act=act) == "receipt"
    assert acted == [1]
    assert ledger.verbs == ["lease", "commit", "lease"]


async def test_an_observed_action_is_never_repeated_when_its_commit_fails(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """What observe found stays found: the commit's failure is CommitUncertainError."""
    ledger.expire()
    ledger.always["commit"] = 503

    async def observe() -> str:
        return "receipt"

    async def act() -> str:
        raise AssertionError("acted twice")

    with pytest.raises(CommitUncertainError) as caught:
        await verity.protect("k", act=act, observe=observe)
    assert caught.value.result == "receipt"
    assert ledger.verbs.count("commit") == 3
    del ledger.always["commit"]
    assert await caught.value.resolve() == "receipt"
    assert ledger.effect()["status"] == "COMMITTED"


async def test_the_lease_is_renewed_for_as_long_as_the_action_runs(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock
) -> None:
    """A renewal falls due at 0.65 of each 30 s."""

    async def act(context: EffectContext) -> float:
        await clock.advance(100)
        assert context.lease is not None
        assert not context.lease.lost.is_set()
        return context.lease.remaining()

    assert await verity.protect("k", act=act) > 0
    assert ledger.verbs == ["lease", *["renew"] * 5, "commit"]
