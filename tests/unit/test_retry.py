"""When a request is tried again, and after how long."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._retry import RetryPolicy, delay_before_retry, parse_retry_after
from quatrain.verity import ConflictRetryConfig

POLICY = RetryPolicy()


def decide(
    outcome, *, attempt=1, repeatable=False, retry_after=None, luck=0.0, policy=POLICY
) -> float | None:
    return delay_before_retry(
        policy, attempt, outcome, repeatable=repeatable, retry_after=retry_after, luck=luck
    )


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 521, 599])
def test_a_repeatable_request_is_tried_again_after_a_passing_fault(status: int) -> None:
    """Time-outs, rate limits and every 5xx may be gone a moment later."""
    assert decide(status, repeatable=True) == 0.3


@pytest.mark.parametrize("status", [300, 302, 400, 401, 403, 404, 405, 409, 410, 413, 422, 600])
def test_a_verdict_is_never_tried_again(status: int) -> None:
    """The same request gets the same answer."""
    assert decide(status, repeatable=True) is None


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("not_sent", 0.3), (429, 0.3), ("no_answer", None), (503, None), (500, None), (408, None)],
)
def test_any_other_request_only_when_it_surely_was_not_executed(outcome, expected) -> None:
    """Never sent, or turned away at the door."""
    assert decide(outcome) == expected


def test_no_answer_is_tried_again_when_repeatable() -> None:
    """The server knows the repetition for what it is."""
    assert decide("no_answer", repeatable=True) == 0.3


def test_what_is_in_progress_is_asked_after() -> None:
    """No attempt of ours did anything, and an earlier one may have: wait for its outcome."""
    assert decide("in_progress", retry_after=2.0) == 2.0
    assert decide("in_progress", retry_after=61.0) is None
    assert decide("in_progress", attempt=3) is None


def test_waits_may_grow_by_another_factor() -> None:
    """Velocity OS's: 0.5, 1.5 and 4 seconds."""
    policy = RetryPolicy(max_retries=3, base=0.5, factor=3.0, cap=4.0, jitter=0.0)
    delays = [decide(503, attempt=n, repeatable=True, policy=policy) for n in (1, 2, 3, 4)]
    assert delays == [0.5, 1.5, 4.0, None]


def test_after_the_last_try_it_gives_up() -> None:
    """``max_retries`` are the tries after the first."""
    delays = [decide("not_sent", attempt=attempt) for attempt in (1, 2, 3)]
    assert delays == [0.3, 0.6, None]
    assert decide("not_sent", policy=RetryPolicy(max_retries=0)) is None


def test_back_off_doubles_up_to_the_cap_and_spreads() -> None:
    """However many attempts there were, and never less for more luck."""
    delays = [POLICY.backoff(attempt, 0.0) for attempt in (1, 2, 3, 6, 7, 5_000)]
    assert delays == [0.3, 0.6, 1.2, 9.6, 10.0, 10.0]
    assert POLICY.backoff(1, 0.999) == pytest.approx(0.3 * 1.25, rel=1e-3)


def test_with_full_jitter_the_whole_wait_is_drawn() -> None:
    """Velerian's: between nothing and 0.5 seconds, doubling up to a minute."""
    policy = RetryPolicy(max_retries=9, base=0.5, cap=60.0, full_jitter=True)
    halves = [policy.backoff(attempt, 0.5) for attempt in (1, 2, 3, 7, 8, 9)]
    assert halves == [0.25, 0.5, 1.0, 16.0, 30.0, 30.0]
    assert policy.backoff(1, 0.0) == 0.0
    assert decide(429, retry_after=7.0, luck=0.5, policy=policy) == 7.0


def test_retry_after_is_never_waited_shorter() -> None:
    """Longer, where the back-off is."""
    assert decide(429, retry_after=7.0) == 7.0
    assert decide(429, retry_after=0.01) == 0.3


def test_a_retry_after_over_the_cap_is_not_waited_for() -> None:
    """The error is raised at once, rather than early or very late."""
    assert decide(429, retry_after=60.0) == 60.0
    assert decide(429, retry_after=60.1) is None
    assert decide(503, retry_after=3600.0, repeatable=True) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("3", 3.0),
        ("0", 0.0),
        (" 1.5 ", 1.5),
        ("-4", 0.0),
        ("Sun, 09 Sep 2001 01:46:50 GMT", 10.0),
        ("Sun, 09 Sep 2001 01:46:30 GMT", 0.0),
        ("Sun, 09 Sep 2001 01:46:50 -0000", 10.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("Sun, 99 Sep 2001 99:46:50 GMT", None),
        ("Sun, 09 Sep 20010 01:46:50 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date_or_nothing(value, expected) -> None:
    """Garbage is ignored."""
    assert parse_retry_after(value, 1_000_000_000.0) == expected


def test_a_date_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever zone this machine is in."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        seconds = parse_retry_after("Sun, 09 Sep 2001 01:46:50 -0000", 1_000_000_000.0)
    time.tzset()
    assert seconds == 10.0


@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w*", fullmatch=True))
def test_no_header_makes_it_fail(value: str) -> None:
    """A server can't bring the client down with it."""
    seconds = parse_retry_after(value, 1_000_000_000.0)
    assert seconds is None or seconds >= 0


def test_conflicts_are_retried_eleven_times_doubling_up_to_fifteen_seconds() -> None:
    """The contract's defaults, less the jitter."""
    config = ConflictRetryConfig(jitter=False)
    delays = list(itertools.takewhile(bool, (config.delay(n, 0.5) for n in itertools.count(1))))
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0, 15.0, 15.0]


@given(st.integers(1, 11), st.floats(0, 1, exclude_max=True))
def test_conflict_jitter_is_thirty_percent_either_way(attempt: int, luck: float) -> None:
    """Waiting agents spread out."""
    plain = ConflictRetryConfig(jitter=False).delay(attempt, luck)
    spread = ConflictRetryConfig().delay(attempt, luck)
    assert plain is not None
    assert spread is not None
    assert plain * 0.699 <= spread <= plain * 1.301


def test_conflict_jitter_reaches_both_ends() -> None:
    """From 70 to 130 percent."""
    config = ConflictRetryConfig()
    assert config.delay(1, 0.0) == pytest.approx(0.35)
    assert config.delay(1, 1.0) == pytest.approx(0.65)


def test_conflicts_are_not_retried_when_disabled() -> None:
    """Nor with a single attempt allowed."""
    assert ConflictRetryConfig(enabled=False).delay(1, 0.5) is None
    assert ConflictRetryConfig(max_attempts=1).delay(1, 0.5) is None
