"""An earlier attempt was cut off: has it acted?"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain.verity import (
    AsyncVerityClient,
    CommitUncertainError,
    EffectContext,
    EffectUncertainError,
    LeaseLostError,
)

from .._doubles import AsyncManualClock, FakeLedger

Connect = Callable[..., AsyncVerityClient]


async def receipt() -> str:
    return "receipt"


async def nothing() -> None:
    return None


async def broken() -> None:
    raise ConnectionError("the bank is down")


async def never() -> str:
    raise AssertionError("called, and must not be")


async def test_what_it_finds_is_committed_and_answered(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """As observed, without acting; the run of observe is reported."""
    ledger.expire()
    assert await verity.protect("k", act=never, observe=receipt) == "receipt"
    assert ledger.bodies("commit")[0]["source"] == "observed"
    report = ledger.bodies("report-observe")[0]
    assert report.pop("durationMs") >= 0
    assert report == {"effectKey": "k", "fenceToken": 2, "leaseToken": "token-2", "hit": True}


@pytest.mark.parametrize("found", [0, False, "", [], {}])
async def test_only_none_means_that_nothing_has_happened(
    verity: AsyncVerityClient, ledger: FakeLedger, found: Any
) -> None:
    """An empty answer is an answer."""
    ledger.expire()

    async def observe() -> Any:
        return found

    assert await verity.protect("k", act=never, observe=observe) == found


async def test_when_it_finds_nothing_act_runs(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """And the miss is reported."""
    ledger.expire()
    assert await verity.protect("k", act=receipt, observe=nothing) == "receipt"
    assert ledger.bodies("commit")[0]["source"] == "acted"
    assert ledger.bodies("report-observe")[0]["hit"] is False


async def test_its_own_failure_is_logged_and_act_runs(
    verity: AsyncVerityClient, ledger: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """As the reference does; nothing is reported, for nothing is known."""
    ledger.expire()
    assert await verity.protect("k", act=receipt, observe=broken) == "receipt"
    assert "report-observe" not in ledger.verbs
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the bank is down" in caplog.text


async def test_it_is_asked_only_when_an_earlier_attempt_was_cut_off(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """The first attempt has nothing to look for."""
    asked: list[bool] = []

    async def observe() -> None:
        asked.append(True)

    assert await verity.protect("k", act=receipt, observe=observe) == "receipt"
    assert asked == []
    assert ledger.verbs == ["lease", "commit"]


async def test_it_may_take_the_context(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """To look for the idempotency key."""
    ledger.expire()

    async def observe(context: EffectContext) -> str:
        return context.effect_key

    assert await verity.protect("k", act=never, observe=observe) == "k"


@pytest.mark.parametrize("fault", [500, 404, 409], ids=str)
async def test_a_report_that_fails_fails_nothing(
    verity: AsyncVerityClient, ledger: FakeLedger, caplog: pytest.LogCaptureFixture, fault: int
) -> None:
    """It is audit only; not even worth a warning."""
    ledger.expire()
    ledger.always["report-observe"] = fault
    assert await verity.protect("k", act=receipt, observe=nothing) == "receipt"
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_an_observed_action_is_never_repeated_when_its_commit_fails(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """What observe found stays found: the commit's failure is CommitUncertainError."""
    ledger.expire()
    ledger.always["commit"] = 503
    with pytest.raises(CommitUncertainError) as caught:
        await verity.protect("k", act=never, observe=receipt)
    assert caught.value.result == "receipt"
    assert ledger.verbs.count("commit") == 3
    del ledger.always["commit"]
    assert await caught.value.resolve() == "receipt"
    assert ledger.effect()["status"] == "COMMITTED"
    assert ledger.bodies("commit")[-1]["source"] == "observed"


async def test_what_it_finds_and_is_no_json_is_uncertain_too(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """It has happened: act must not run."""
    ledger.expire()

    async def observe() -> Any:
        return object()

    with pytest.raises(CommitUncertainError):
        await verity.protect("k", act=never, observe=observe)
    assert "commit" not in ledger.verbs


async def test_without_it_act_runs_by_default(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """The reference's way."""
    ledger.expire()
    assert await verity.protect("k", act=receipt) == "receipt"


async def test_without_it_an_uncertain_effect_is_an_error_when_told_so(
    connect: Connect, ledger: FakeLedger
) -> None:
    """For effects that nobody dares to repeat."""
    ledger.expire()
    verity = connect(on_uncertain="raise")
    with pytest.raises(EffectUncertainError) as caught:
        await verity.protect("k", act=never)
    assert (caught.value.effect_key, caught.value.fence_token) == ("k", 2)
    assert caught.value.effect_id == "eff_k"
    assert ledger.verbs == ["lease"]


async def test_a_failed_observe_is_as_good_as_none_then(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Nobody can tell, still; its exception is the cause."""
    ledger.expire()
    with pytest.raises(EffectUncertainError) as caught:
        await verity.protect("k", act=never, observe=broken, on_uncertain="raise")
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_a_miss_is_certain(connect: Connect, ledger: FakeLedger) -> None:
    """Observe said that nothing has happened."""
    ledger.expire()
    verity = connect(on_uncertain="raise")
    assert await verity.protect("k", act=receipt, observe=nothing) == "receipt"


@pytest.mark.parametrize("on_uncertain", ["act", "raise"])
async def test_a_lease_lost_meanwhile_stops_it(
    verity: AsyncVerityClient, ledger: FakeLedger, clock: AsyncManualClock, on_uncertain: Any
) -> None:
    """Somebody else is at it by now: neither act nor commit."""
    ledger.expire()
    ledger.always["renew"] = 409

    async def observe(context: EffectContext) -> None:
        await clock.advance(25)
        context.raise_if_lost()

    with pytest.raises(LeaseLostError, match="refused"):
        await verity.protect("k", act=never, observe=observe, on_uncertain=on_uncertain)
    assert {"commit", "fail", "report-observe"} & set(ledger.verbs) == set()


@pytest.mark.parametrize(("prior", "looked"), [("reset", False), ("paused", True)])
async def test_observe_is_left_out_only_where_nothing_can_have_happened(
    verity: AsyncVerityClient, ledger: FakeLedger, prior: str, looked: bool
) -> None:
    """Whoever reset an effect had looked; a state that is new to this version promises nothing."""
    grant = {
        "status": "granted",
        "effectId": "eff_k",
        "effectKey": "k",
        "fenceToken": 5,
        "leaseToken": "token-5",
        "leaseExpiresAt": "2030-01-01T00:00:00.000Z",
        "priorState": prior,
    }
    ledger.expire()
    ledger.effect()["fence"] = 5
    ledger.faults["lease"].append(httpx.Response(200, json=grant))
    asked: list[bool] = []

    async def observe() -> None:
        asked.append(True)

    assert await verity.protect("k", act=receipt, observe=observe) == "receipt"
    assert bool(asked) is looked
