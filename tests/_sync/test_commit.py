# Generated from tests/_async/test_commit.py by scripts/make_sync.py. Do not edit.
"""The action ran: from here on nothing may lead to it again."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain.verity import (
    CommitRefusedError,
    CommitUncertainError,
    LeaseLostError,
    VerityApiError,
    VerityClient,
    VerityServerError,
    VerityTransportError,
    VerityValidationError,
)

from .._doubles import KEY, FakeLedger, LedgerTransport, ManualClock

Connect = Callable[..., VerityClient]


class Action:
    """Counts how often it ran."""

    def __init__(self, result: Any = "receipt") -> None:
        self.result = result
        self.ran = 0

    def __call__(self) -> Any:
        self.ran += 1
        return self.result


@pytest.fixture
def act() -> Action:
    return Action()


@pytest.mark.parametrize(
    "faults",
    [
        ["lost"],
        ["lost", "lost"],
        [500, 503],
        [502, httpx.ConnectError("down")],
        [httpx.RemoteProtocolError("cut"), "lost"],
        [httpx.Response(502, html="<html>bad gateway</html>")],
    ],
    ids=str,
)
def test_a_commit_whose_answer_is_lost_is_sent_again_identically(
    verity: VerityClient, ledger: FakeLedger, act: Action, faults: list[Any]
) -> None:
    """``already_committed`` is a success; act ran once."""
    ledger.faults["commit"].extend(faults)
    assert verity.protect("k", act=act) == "receipt"
    assert act.ran == 1
    sent = [r.content for r in ledger.http if r.url.path.endswith("/commit")]
    assert len(sent) == len(faults) + 1
    assert len(set(sent)) == 1


def test_it_is_sent_three_times_and_not_too_quickly(
    verity: VerityClient, ledger: FakeLedger, clock: ManualClock, act: Action
) -> None:
    """0.3 s, doubling, and a quarter at random."""
    ledger.always["commit"] = 503
    with pytest.raises(CommitUncertainError):
        verity.protect("k", act=act)
    waits = [seconds for seconds in clock.slept if seconds < 3]
    assert len(waits) == 2
    assert 0.3 <= waits[0] <= 0.375
    assert 0.6 <= waits[1] <= 0.75


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (503, VerityServerError),
        ("lost", VerityTransportError),
        (httpx.ConnectError("down"), VerityTransportError),
        (422, VerityApiError),
        (401, VerityApiError),
        (404, VerityApiError),
        (httpx.Response(200, html="<html>"), VerityApiError),
        (httpx.Response(200, json={"status": 7}), VerityApiError),
    ],
    ids=str,
)
def test_a_commit_that_is_not_confirmed_is_uncertain(
    verity: VerityClient,
    ledger: FakeLedger,
    act: Action,
    caplog: pytest.LogCaptureFixture,
    fault: Any,
    reason: type[Exception],
) -> None:
    """With what a person needs to settle it; a warning, and no failure recorded."""
    ledger.always["commit"] = fault
    with pytest.raises(CommitUncertainError) as caught:
        verity.protect("k", act=act)
    error = caught.value
    assert (error.effect_key, error.result, error.fence_token) == ("k", "receipt", 1)
    assert isinstance(error.commit_error, reason)
    assert error.__cause__ is error.commit_error
    assert "fail" not in ledger.verbs
    assert act.ran == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_it_can_be_resolved_later(verity: VerityClient, ledger: FakeLedger, act: Action) -> None:
    """One request, identical; then the effect is settled, and act never ran again."""
    ledger.always["commit"] = 503
    with pytest.raises(CommitUncertainError) as caught:
        verity.protect("k", act=act)
    with pytest.raises(CommitUncertainError) as again:
        caught.value.resolve()
    assert ledger.verbs.count("commit") == 4
    del ledger.always["commit"]
    assert again.value.resolve() == "receipt"
    assert caught.value.resolve() == "receipt"
    assert copy.copy(caught.value).resolve() == "receipt"
    assert len({r.content for r in ledger.http if r.url.path.endswith("/commit")}) == 1
    assert verity.protect("k", act=act) == "receipt"
    assert act.ran == 1


def test_it_can_not_be_resolved_after_pickling(
    verity: VerityClient, ledger: FakeLedger, act: Action
) -> None:
    """A live client is needed; everything else has come along."""
    ledger.always["commit"] = 503
    with pytest.raises(CommitUncertainError) as caught:
        verity.protect("k", act=act)
    travelled = pickle.loads(pickle.dumps(caught.value))
    with pytest.raises(RuntimeError, match="pickled"):
        travelled.resolve()
    assert (travelled.result, travelled.fence_token) == ("receipt", 1)
    assert len(travelled.commit_error.attempts) == 3


@pytest.mark.parametrize(
    ("result", "words"),
    [(object(), "not JSON"), ({1, 2}, "not JSON"), ("x" * 65_535, "65,537"), ("\ud800", "JSON")],
    ids=["object", "set", "too large", "surrogate"],
)
def test_a_result_that_is_no_payload_is_uncertain_and_not_a_failure(
    verity: VerityClient, ledger: FakeLedger, result: Any, words: str
) -> None:
    """The action ran: to call it failed would let it run again after a reset."""
    act = Action(result)
    with pytest.raises(CommitUncertainError) as caught:
        verity.protect("k", act=act)
    assert caught.value.result is result
    assert isinstance(caught.value.commit_error, VerityValidationError)
    assert words in str(caught.value.commit_error)
    assert ledger.verbs == ["lease"]
    with pytest.raises(CommitUncertainError):
        caught.value.resolve()


def test_a_result_of_64_kib_is_committed(verity: VerityClient, ledger: FakeLedger) -> None:
    """The limit itself is allowed."""
    assert verity.protect("k", act=Action("x" * 65_534)) == "x" * 65_534
    assert ledger.effect()["status"] == "COMMITTED"


def test_a_commit_after_somebody_else_began_is_refused(
    verity: VerityClient, ledger: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """Both a lost lease and an unconfirmed commit, with the result."""

    def act() -> str:
        ledger.take_over()
        return "receipt"

    with pytest.raises(CommitRefusedError) as caught:
        verity.protect("k", act=act)
    error = caught.value
    assert isinstance(error, LeaseLostError)
    assert isinstance(error, CommitUncertainError)
    assert (error.result, error.has_result, error.fence_token) == ("receipt", True, 1)
    assert ledger.verbs == ["lease", "commit"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with pytest.raises(CommitRefusedError):
        error.resolve()


def test_a_commit_after_the_lease_ran_out_is_accepted_while_nobody_else_began(
    connect: Connect, ledger: FakeLedger, clock: ManualClock
) -> None:
    """The action happened: the fence decides, not the clock."""

    def act() -> str:
        clock.jump(60)
        return "receipt"

    assert connect(auto_renew=False).protect("k", act=act) == "receipt"
    assert ledger.effect()["status"] == "COMMITTED"


def test_how_often_a_commit_is_sent_can_be_set(
    connect: Connect, ledger: FakeLedger, act: Action
) -> None:
    """``max_retries`` are the tries after the first."""
    ledger.always["commit"] = 503
    with pytest.raises(CommitUncertainError):
        connect(max_retries=0).protect("k", act=act)
    assert ledger.verbs == ["lease", "commit"]


@pytest.mark.parametrize("verb", ["lease", "commit", "renew", "fail"])
def test_whatever_a_callers_transport_raises_is_no_answer(
    verity: VerityClient, ledger: FakeLedger, verb: str
) -> None:
    """Its kind can't be known; the key does not come out of it."""
    ledger.faults[verb].append(RuntimeError(f"odd: Bearer {KEY}"))
    ledger.always[verb] = OSError("odder")
    if verb == "commit":
        with pytest.raises(CommitUncertainError) as caught:
            verity.protect("k", act=Action())
        assert caught.value.result == "receipt"
        failure: Any = caught.value.commit_error
    else:
        body = {"effectKey": "k", "fenceToken": 1, "leaseToken": "t", "error": None}
        call = verity.request_lease if verb == "lease" else getattr(verity, verb)
        with pytest.raises(VerityTransportError) as raised:
            call("ns", body)
        failure = raised.value
    assert isinstance(failure, VerityTransportError)
    assert failure.sent
    assert KEY not in str(failure.attempts)


def test_what_breaks_in_the_commit_itself_does_not_take_the_result_along(
    verity: VerityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may take it for a failed action."""

    def commit(*_: Any, **__: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(verity._ledger, "commit", commit)
    with pytest.raises(CommitUncertainError) as caught:
        verity.protect("k", act=Action())
    assert caught.value.result == "receipt"


def test_what_breaks_while_a_failure_is_recorded_does_not_hide_it(
    verity: VerityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action's own exception is what the caller gets."""

    def fail(*_: Any) -> None:
        raise RecursionError

    def act() -> None:
        raise LookupError("no such order")

    monkeypatch.setattr(verity._ledger, "fail", fail)
    with pytest.raises(LookupError):
        verity.protect("k", act=act)


def test_event_hooks_that_check_answers_hide_none(
    connect: Connect, ledger: FakeLedger, clock: ManualClock, act: Action
) -> None:
    """A 409 is asked again, and a 503 too."""

    def check(response: httpx.Response) -> None:
        response.raise_for_status()

    ledger.faults["lease"].append(409)
    ledger.faults["commit"].append(503)
    transport = LedgerTransport(ledger)
    with httpx.Client(transport=transport, event_hooks={"response": [check]}) as http:
        assert connect(http_client=http).protect("k", act=act) == "receipt"
    assert ledger.verbs == ["lease", "lease", "commit", "commit"]
