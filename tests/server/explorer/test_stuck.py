"""Why an effect is stuck, for every state it can be in: a row and a trail in, a sentence out."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from quatrain.server.explorer.attempts import attempts
from quatrain.server.explorer.stuck import advice, error_line
from quatrain.server.explorer.words import brief, duration, facts, payload, printable
from quatrain.server.ledger import Effect, Event, EventType, Status
from tests.server._support import START

NOW = START + 600_000
EFFECT = Effect(
    id=1,
    namespace="ns",
    effect_key="k",
    effect_name=None,
    status=Status.RUNNING,
    fence_token=1,
    agent_id="ann",
    workflow_name=None,
    case_id=None,
    run_id=None,
    lease_expires_at=NOW + 12_000,
    source=None,
    created_at=START,
    updated_at=NOW - 60_000,
    first_fence=1,
    operator_fences=0,
)


def line(kind: EventType, at: int = START, fence: int = 1, detail: str | None = None) -> Event:
    return Event(1, kind, at, fence, "ann", None, detail)


GRANT = line(EventType.LEASE_GRANTED)
RENEWAL = line(EventType.LEASE_RENEWED)
EXPIRED = {"status": Status.EXPIRED, "lease_expires_at": NOW - 5_000}
FAILED = {"status": Status.FAILED, "lease_expires_at": None}
BY_EVE = '{"by":"eve","reason":"r"}'


@pytest.mark.parametrize(
    ("changed", "events", "sentence"),
    [
        (
            {},
            [GRANT, RENEWAL, RENEWAL],
            (
                "It is not stuck: agent ann holds the lease for another 12 s. It has been held for"
                " 10 min, renewed 2 times."
            ),
        ),
        (
            {"agent_id": None},
            [GRANT],
            (
                "It is not stuck: an agent without a name holds the lease for another 12 s. It has"
                " been held for 10 min, not renewed yet."
            ),
        ),
        (
            EXPIRED,
            [GRANT],
            (
                "Uncertain: the lease of agent ann ran out 5 s ago without a commit, and nobody has"
                " come back. The action may have happened, or not."
            ),
        ),
        (
            EXPIRED,
            [GRANT, line(EventType.OBSERVE_MISS)],
            (
                "Uncertain: the lease of agent ann ran out 5 s ago without a commit, and nobody has"
                " come back. The action may have happened, or not. The last attempt had looked, and"
                " had not found it done."
            ),
        ),
        (
            EXPIRED,
            [GRANT, line(EventType.LEASE_RELEASED, fence=2, detail=BY_EVE)],
            (
                "Uncertain: its lease was released by an operator 5 s ago, and nobody has come"
                " back. The action may have happened, or not."
            ),
        ),
        (
            FAILED | {"error": '{"name":"TimeoutError","message":"no answer"}'},
            [GRANT],
            (
                "Failed 1 min ago: TimeoutError: no answer. Every later attempt is answered with"
                " this error, and does not act."
            ),
        ),
        (
            FAILED | {"error": "17"},
            [GRANT],
            (
                "Failed 1 min ago: 17. Every later attempt is answered with this error, and does"
                " not act."
            ),
        ),
        (
            {"status": Status.RESET, "lease_expires_at": None},
            [GRANT, line(EventType.RESET, detail=BY_EVE)],
            "Waiting: it was reset by eve 1 min ago, and no agent has begun it since.",
        ),
        (
            {"status": Status.COMMITTED, "lease_expires_at": None, "source": "resolved"},
            [GRANT],
            "It is not stuck: it was done 1 min ago (an operator said so), and stays so.",
        ),
    ],
)
def test_every_state_has_its_sentence(
    changed: dict[str, Any], events: list[Event], sentence: str
) -> None:
    """What is final needs no steps; all else has some."""
    found = advice(attrs.evolve(EFFECT, **changed), events, NOW)
    assert sentence == found.sentence
    assert (changed.get("status") is not Status.COMMITTED) == bool(found.steps)


@pytest.mark.parametrize("status", list(Status))
def test_a_trail_that_is_missing_is_no_error(status: Status) -> None:
    """Whatever the state."""
    bare = attrs.evolve(EFFECT, status=status, lease_expires_at=None, agent_id=None)
    assert advice(bare, [], NOW).sentence
    assert [] == attempts(bare, [])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, ""),
        ("{", "{"),
        ("[7]", "[7]"),
        ('{"code":7}', '{"code":7}'),
        ('"plain"', "plain"),
        ('{"name":7,"message":"m"}', "m"),
        ('{"name":"N","message":""}', "N"),
        ('{"message":"a\\u202eb"}', "a\\u202eb"),
    ],
)
def test_errors_in_a_line(error: str | None, expected: str) -> None:
    """As agents report them, or as whatever else they are."""
    assert expected == error_line(error)


def test_each_attempt_has_its_error() -> None:
    """And when the trail does not tell it, the last one has the effect's."""
    events = [
        GRANT,
        line(EventType.FAILED, at=START + 5_000, detail='{"error": "E: \\u202e one"}'),
        line(EventType.RESET),
        line(EventType.LEASE_GRANTED, at=START + 10_000, fence=2),
        line(EventType.FAILED, at=START + 12_000, fence=2, detail='{"source": "acted"}'),
    ]
    failed = attrs.evolve(EFFECT, **FAILED, error='{"name":"F","message":"two"}')
    found = [(each.error, each.took) for each in attempts(failed, events)]
    assert [("F: two", 2_000), ("E: \\u202e one", 5_000)] == found


def test_attempts_are_told_from_the_trail() -> None:
    """Each grant with how it ended, and when its lease did: not when somebody noticed."""
    ran_out = '{"leaseExpiredAt": "2027-01-15T08:00:30.000Z"}'
    events = [
        GRANT,
        line(EventType.LEASE_EXPIRED, at=START + 90_000, detail=ran_out),
        line(EventType.LEASE_GRANTED, at=START + 90_000, fence=2),
        line(EventType.OBSERVE_MISS, fence=2),
        line(EventType.LEASE_RENEWED, fence=2),
        line(EventType.LEASE_RELEASED, at=START + 95_000, fence=3),
        line(EventType.RESOLVED_DONE, at=START + 99_000, fence=4),
    ]
    second, first = attempts(attrs.evolve(EFFECT, status=Status.COMMITTED), events)
    assert (1, "ran out", 30_000) == (first.fence_token, first.outcome, first.took)
    assert (2, "resolved as done", 9_000) == (second.fence_token, second.outcome, second.took)
    assert (1, "not found") == (second.renewals, second.observed)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (-5, "0 ms"),
        (999, "999 ms"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h"),
        (3_605_000, "1 h"),
        (90_061_000, "1 d 1 h"),
    ],
)
def test_durations_have_two_units(ms: int, expected: str) -> None:
    """The largest two that belong together."""
    assert expected == duration(ms)


def test_words_hide_nothing() -> None:
    """Controls are escaped, long texts end in an ellipsis, and JSON that is none is shown."""
    assert "a\\x00\\u202e\\nb" == printable("a\x00\u202e\nb")
    assert "abc…" == brief("abcdef", 4)
    assert '{\n  "a": "\\u202e"\n}' == payload('{"a":"\\u202e"}')
    assert "{" == payload("{")
    assert [("a", "1"), ("b", "x")] == facts('{"a":1,"b":"x"}')
    assert [("", "[1]")] == facts("[1]")
