# Generated from tests/_async/test_protect.py by scripts/make_sync.py. Do not edit.
"""What one run of protect may come to."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain.verity import (
    EffectContext,
    EffectPreviouslyFailedError,
    LeaseCachedResponse,
    VerityApiError,
    VerityAuthenticationError,
    VerityClient,
    VerityConfigError,
    VerityConflictError,
    VerityTransportError,
    VerityValidationError,
)

from .._doubles import FakeLedger

Connect = Callable[..., VerityClient]


def receipt() -> str:
    return "receipt"


def never() -> str:
    raise AssertionError("acted, and must not")


def test_acts_once_and_answers_the_recorded_result_after_that(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """The second call gets the first one's result, without acting."""
    assert verity.protect("k", act=receipt) == "receipt"
    assert verity.protect("k", act=never) == "receipt"
    assert ledger.verbs == ["lease", "commit", "lease"]


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, {"a": [1, None, "é\u2028"]}])
def test_any_json_is_a_result(verity: VerityClient, ledger: FakeLedger, value: Any) -> None:
    """A null as well: it is sent, and answered later."""

    def act() -> Any:
        return value

    assert verity.protect("k", act=act) == value
    assert ledger.bodies("commit")[0]["result"] == value
    assert verity.protect("k", act=never) == value


def test_what_is_sent_is_what_the_contract_says(connect: Connect, ledger: FakeLedger) -> None:
    """Absent fields are left out; a commit carries the fence and the lease token."""
    verity = connect(agent_id="agent")
    verity.protect(
        "k",
        act=receipt,
        key_suffix="eur",
        effect_name="refund",
        lease_duration_ms=10_000,
        input_json={"amount": 5},
    )
    assert ledger.bodies("lease") == [
        {
            "effectKey": "k:eur",
            "effectName": "refund",
            "agentId": "agent",
            "leaseDurationMs": 10_000,
            "inputJson": {"amount": 5},
        }
    ]
    assert ledger.bodies("commit") == [
        {
            "effectKey": "k:eur",
            "fenceToken": 1,
            "leaseToken": "token-1",
            "result": "receipt",
            "source": "acted",
        }
    ]
    connect().protect("bare", act=receipt)
    assert ledger.bodies("lease")[1] == {"effectKey": "bare"}


@pytest.mark.parametrize("falsy", [0, "", [], {}, False])
def test_an_empty_input_is_sent(verity: VerityClient, ledger: FakeLedger, falsy: Any) -> None:
    """Only None means that there is none."""
    verity.protect("k", act=receipt, input_json=falsy)
    assert ledger.bodies("lease") == [{"effectKey": "k", "inputJson": falsy}]


def test_an_act_that_raises_is_recorded_and_its_exception_goes_on(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """The very exception; the next call gets EffectPreviouslyFailedError."""
    mine = ValueError("no funds")

    def act() -> None:
        raise mine

    with pytest.raises(ValueError, match="no funds") as caught:
        verity.protect("k", act=act)
    assert caught.value is mine
    error = ledger.bodies("fail")[0]["error"]
    assert (error["name"], error["message"]) == ("ValueError", "no funds")
    assert "test_protect.py" in error["stack"]
    with pytest.raises(EffectPreviouslyFailedError) as previously:
        verity.protect("k", act=never)
    assert previously.value.effect_key == "k"
    assert previously.value.cached_error == error
    assert previously.value.effect_id == "eff_k"


def test_an_acts_own_exception_group_is_left_as_it_is(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """Groups of the machinery are unwrapped; a user's is not touched."""
    mine = ExceptionGroup("mine", [ValueError()])

    def act() -> None:
        raise mine

    with pytest.raises(ExceptionGroup) as caught:
        verity.protect("k", act=act)
    assert caught.value is mine
    assert ledger.effect()["value"]["name"] == "ExceptionGroup"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interruption_records_nothing(
    verity: VerityClient, ledger: FakeLedger, kind: type[BaseException]
) -> None:
    """The lease is left to run out: the next attempt observes first."""

    def act() -> None:
        raise kind

    with pytest.raises(kind):
        verity.protect("k", act=act)
    assert ledger.verbs == ["lease"]
    assert ledger.effect()["status"] == "RUNNING"


@pytest.mark.parametrize(
    "fault",
    [500, 409, 404, httpx.ConnectError("down"), httpx.Response(200, html="<html>")],
    ids=str,
)
def test_a_failure_that_is_not_recorded_does_not_hide_the_exception(
    verity: VerityClient, ledger: FakeLedger, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    """It is logged, for a person to see."""
    ledger.always["fail"] = fault

    def act() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        verity.protect("k", act=act)
    assert [(r.levelno, r.name) for r in caplog.records] == [(logging.WARNING, "verity")]
    assert "could not be recorded" in caplog.text


def test_a_failure_is_sent_again_after_no_answer(verity: VerityClient, ledger: FakeLedger) -> None:
    """Three times in all, identically."""
    ledger.faults["fail"].extend(["lost", 503])

    def act() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        verity.protect("k", act=act)
    bodies = ledger.bodies("fail")
    assert len(bodies) == 3
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize(
    "words", ["x" * 200_000, "\ud800", "\x00" * 200_000], ids=["huge", "surrogate", "escapes"]
)
def test_a_failure_always_fits(verity: VerityClient, ledger: FakeLedger, words: str) -> None:
    """Whatever the exception says."""

    def act() -> None:
        raise ValueError(words)

    with pytest.raises(ValueError):
        verity.protect("k", act=act)
    assert ledger.effect()["status"] == "FAILED"
    assert len(ledger.http[-1].content) < 65_536


@pytest.mark.parametrize(
    ("call", "client", "expected"),
    [
        ("mine", "ns", "mine"),
        (None, "ns", "ns"),
        ("mine", None, "mine"),
        ("a/../b", "ns", "a/../b"),
    ],
)
def test_the_namespace_is_the_calls_else_the_clients(
    connect: Connect, ledger: FakeLedger, call: str | None, client: str | None, expected: str
) -> None:
    """Whatever it contains, it is one namespace."""
    connect(namespace=client).protect("k", act=receipt, namespace=call)
    assert list(ledger.effects) == [(expected, "k")]


def test_without_any_namespace_it_is_a_config_error(connect: Connect, ledger: FakeLedger) -> None:
    """Before any request."""
    with pytest.raises(VerityConfigError, match="namespace"):
        connect(namespace=None).protect("k", act=never)
    assert ledger.verbs == []


@pytest.mark.parametrize("key", ["", None, 7, b"k", ["k"]])
def test_a_key_that_is_none_is_refused(verity: VerityClient, ledger: FakeLedger, key: Any) -> None:
    """Before any request."""
    with pytest.raises(VerityValidationError, match="effect_key"):
        verity.protect(key, act=never)
    assert ledger.verbs == []


@pytest.mark.parametrize(
    "key", ["'; DROP TABLE effects; --", "\u2028", "a\x00b", "k" * 10_000, "../x", "ключ/🔑", " "]
)
def test_hostile_keys_are_keys(verity: VerityClient, ledger: FakeLedger, key: str) -> None:
    """They travel in the body, whole."""
    assert verity.protect(key, act=receipt) == "receipt"
    assert list(ledger.effects) == [("ns", key)]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"namespace": "\ud800"}, VerityValidationError),
        ({"key_suffix": "\ud800"}, VerityValidationError),
        ({"effect_name": "\ud800"}, VerityValidationError),
        ({"on_conflict": "wait"}, VerityConfigError),
        ({"on_uncertain": "maybe"}, VerityConfigError),
        ({"on_unavailable": "wait"}, VerityConfigError),
    ],
    ids=str,
)
def test_options_that_can_not_be_are_refused(
    verity: VerityClient, ledger: FakeLedger, options: Any, error: type[Exception]
) -> None:
    """With a typed error, before any request."""
    with pytest.raises(error):
        verity.protect("k", act=never, **options)
    assert ledger.verbs == []


@pytest.mark.parametrize(
    ("value", "words"),
    [(object(), "not JSON"), (float("nan"), "not JSON"), ("x" * 65_535, "65,537 bytes")],
    ids=["object", "nan", "too large"],
)
def test_an_input_that_is_no_payload_is_refused(
    verity: VerityClient, ledger: FakeLedger, value: Any, words: str
) -> None:
    """Before any request."""
    with pytest.raises(VerityValidationError, match=words):
        verity.protect("k", act=never, input_json=value)
    assert ledger.verbs == []


@pytest.mark.parametrize("where", ["act", "observe"])
@pytest.mark.parametrize(
    ("function", "words"),
    [("receipt", "can't be called: 'receipt'"), (lambda one, two: None, "needs one, two")],
    ids=["a string", "two parameters"],
)
def test_what_can_not_be_called_is_refused(
    verity: VerityClient, ledger: FakeLedger, where: str, function: Any, words: str
) -> None:
    """Before any request: a slip must leave no failed effect behind, nor an observe unasked."""
    functions: dict[str, Any] = {"act": never, where: function}
    with pytest.raises(VerityValidationError, match=f"{where} {words}"):
        verity.protect("k", **functions)
    assert ledger.verbs == []


def test_an_input_of_64_kib_goes_through(verity: VerityClient, ledger: FakeLedger) -> None:
    """The limit itself is allowed; it counts bytes as they are sent."""
    assert verity.protect("k", act=receipt, input_json="é" * 32_767) == "receipt"
    assert len(ledger.bodies("lease")[0]["inputJson"]) == 32_767


def test_an_act_that_takes_a_parameter_gets_its_context(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """With the key to pass downstream, the same in every attempt at the effect."""
    seen: list[EffectContext] = []

    def act(context: EffectContext) -> None:
        seen.append(context)
        raise SystemExit

    for prior in ("none", "expired"):
        with pytest.raises(SystemExit):
            verity.protect("k", act=act)
        assert seen[-1].lease is not None
        assert seen[-1].lease.prior_state == prior
        ledger.effect()["until"] = 0.0
    with pytest.raises(SystemExit):
        verity.protect("other", act=act)
    first, second, other = seen
    assert (first.namespace, first.effect_key) == ("ns", "k")
    assert (first.fence_token, second.fence_token, other.fence_token) == (1, 2, 1)
    assert first.idempotency_key == second.idempotency_key
    assert first.idempotency_key != other.idempotency_key
    assert "token-1" not in repr(first) + repr(first.lease)


def test_on_lease_gets_the_lease_or_the_cached_answer(verity: VerityClient) -> None:
    """Before act, so that a program can note which attempt this is."""
    seen: list[Any] = []
    verity.protect("k", act=receipt, on_lease=seen.append)
    verity.protect("k", act=never, on_lease=seen.append)
    lease, cached = seen
    assert (lease.effect_key, lease.fence_token, lease.status) == ("k", 1, "granted")
    assert isinstance(cached, LeaseCachedResponse)
    assert cached.cached_result == "receipt"


def test_the_context_of_the_caller_reaches_act(verity: VerityClient) -> None:
    """Loggers and tracers depend on it."""
    request_id = contextvars.ContextVar("request_id", default="none")
    request_id.set("r-1")

    def act() -> str:
        return request_id.get()

    assert verity.protect("k", act=act) == "r-1"


def test_an_effect_inside_an_effect(verity: VerityClient, ledger: FakeLedger) -> None:
    """Each has a lease of its own."""

    def act() -> str:
        return "outer of " + verity.protect("inner", act=receipt)

    assert verity.protect("outer", act=act) == "outer of receipt"
    assert {key: e["status"] for (_, key), e in ledger.effects.items()} == {
        "outer": "COMMITTED",
        "inner": "COMMITTED",
    }


# -- the ledger can't be reached ------------------------------------------------------------------

UNAVAILABLE = [
    httpx.ConnectError("down"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("half an answer"),
    500,
    502,
    503,
]


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=str)
def test_an_unreachable_ledger_blocks(verity: VerityClient, ledger: FakeLedger, fault: Any) -> None:
    """Nothing is done that nobody can record."""
    ledger.always["lease"] = fault
    with pytest.raises((VerityTransportError, VerityApiError)):
        verity.protect("k", act=never)


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=str)
def test_an_unreachable_ledger_lets_through_when_told_so(
    connect: Connect, ledger: FakeLedger, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    """Act runs once, unprotected, with a warning and a context without a lease."""
    ledger.always["lease"] = fault

    def act(context: EffectContext) -> Any:
        context.raise_if_lost()
        return [context.lease, context.fence_token, context.idempotency_key[:7]]

    result = connect(on_unavailable="proceed").protect("k", act=act)
    assert result == [None, None, "effect-"]
    assert set(ledger.verbs) == {"lease"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (401, VerityAuthenticationError),
        (403, VerityApiError),
        (404, VerityApiError),
        (422, VerityApiError),
        (429, VerityApiError),
        (httpx.Response(200, html="<html>"), VerityApiError),
        (httpx.Response(200, json={"status": "queued"}), VerityApiError),
    ],
    ids=str,
)
def test_a_ledger_that_says_no_is_not_unreachable(
    verity: VerityClient, ledger: FakeLedger, fault: Any, error: type[Exception]
) -> None:
    """Proceeding is for when there is nobody to ask."""
    ledger.always["lease"] = fault
    with pytest.raises(error):
        verity.protect("k", act=never, on_unavailable="proceed")


def test_an_act_without_protection_fails_as_itself(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """Nothing is recorded, for there is nobody to record it."""
    ledger.always["lease"] = 503

    def act() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        verity.protect("k", act=act, on_unavailable="proceed")
    assert set(ledger.verbs) == {"lease"}


def test_a_lease_is_asked_for_again_only_when_it_surely_was_not_granted(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """A lease granted to a lost answer would have to run out first."""
    ledger.faults["lease"].extend([httpx.ConnectError("down"), 429])
    assert verity.protect("k", act=receipt) == "receipt"
    assert ledger.verbs == ["lease", "lease", "lease", "commit"]
    ledger.faults["lease"].append("lost")
    with pytest.raises(VerityTransportError) as caught:
        verity.protect("other", act=never)
    assert caught.value.sent is True
    assert len(caught.value.attempts) == 1


def test_a_conflict_at_commit_is_no_lease_conflict(
    verity: VerityClient, ledger: FakeLedger
) -> None:
    """The classes tell them apart."""
    verity.protect("k", act=receipt)
    body = {"effectKey": "k", "fenceToken": 7, "leaseToken": "t", "result": 1}
    with pytest.raises(VerityConflictError) as caught:
        verity.commit("ns", body)
    assert type(caught.value) is VerityConflictError
    assert caught.value.code == "stale_fence"
