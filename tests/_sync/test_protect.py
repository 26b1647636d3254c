# Generated from tests/_async/test_protect.py by scripts/make_sync.py. Do not edit.
"""What one run of protect may come to."""

from __future__ import annotations

import pytest

from quatrain.verity import CommitUncertainError, EffectContext, VerityClient

from .._doubles import FakeLedger, ManualClock


def test_acts_once_and_answers_the_recorded_result_after_that(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """The second call gets the first one's result, without acting."""
    acted = []

    def act() -> str:
        acted.append(1)
        return "receipt"

    assert verity.protect("k", act=act) == "receipt"
    assert verity.protect("k", act=act) == "receipt"
    assert acted == [1]
    assert ledger.verbs == ["lease", "commit", "lease"]


def test_an_observed_action_is_never_repeated_when_its_commit_fails(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """What observe found stays found: the commit's failure is CommitUncertainError."""
    ledger.expire()
    ledger.always["commit"] = 503

    def observe() -> str:
        return "receipt"

    def act() -> str:
        raise AssertionError("acted twice")

    with pytest.raises(CommitUncertainError) as caught:
        verity.protect("k", act=act, observe=observe)
    assert caught.value.result == "receipt"
    assert ledger.verbs.count("commit") == 3
    del ledger.always["commit"]
    assert caught.value.resolve() == "receipt"
    assert ledger.effect()["status"] == "COMMITTED"


def test_the_lease_is_renewed_for_as_long_as_the_action_runs(
    verity: VerityClient, ledger: FakeLedger, clock: ManualClock
) -> None:
    """A renewal falls due at 0.65 of each 30 s."""

    def act(context: EffectContext) -> float:
        clock.advance(100)
        assert context.lease is not None
        assert not context.lease.lost.is_set()
        return context.lease.remaining()

    assert verity.protect("k", act=act) > 0
    assert ledger.verbs == ["lease", *["renew"] * 5, "commit"]
