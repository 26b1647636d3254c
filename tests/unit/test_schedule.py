"""When a lease is renewed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._schedule import RenewalSchedule


@pytest.mark.parametrize(
    ("duration", "fraction", "expected"),
    [
        (30.0, 0.65, 19.5),
        (120.0, 0.65, 78.0),
        (30.0, 0.1, 9.0),
        (30.0, 0.99, 27.0),
        (30.0, float("nan"), 9.0),
        (5.0, 0.3, 3.0),
        (5.0, 0.65, 3.25),
    ],
)
def test_renewed_at_its_fraction_within_the_limits(duration, fraction, expected) -> None:
    """A fraction is clamped to 0.3 and 0.9; a healthy lease is left alone for 3 s."""
    assert RenewalSchedule(duration, fraction).interval == pytest.approx(expected)


def test_the_next_renewal_counts_from_before_the_request() -> None:
    """The time a renewal took is not waited again."""
    schedule = RenewalSchedule(30.0)
    assert schedule.after_success(sent=100.0, now=102.0) == pytest.approx(17.5)
    assert schedule.after_success(sent=100.0, now=125.0) == 0.0


def test_a_failed_renewal_is_tried_again_soon_and_ever_sooner() -> None:
    """A second at the most, a quarter of what is left, and never past the deadline."""
    schedule = RenewalSchedule(30.0)
    delays = [schedule.after_failure(now, 100.0) for now in (0.0, 97.0, 99.0, 99.97, 100.0, 101.0)]
    assert delays == pytest.approx([1.0, 0.75, 0.25, 0.03, 0.0, 0.0])


@given(st.floats(0, 1e6), st.floats(0.11, 120), st.floats(0.1, 60))
def test_a_renewal_request_ends_while_the_lease_is_held(now, left, usual) -> None:
    """With time for another, and never longer than any request."""
    timeout = RenewalSchedule(30.0).request_timeout(now, now + left, usual)
    assert 0 < timeout <= usual
    assert timeout < left
