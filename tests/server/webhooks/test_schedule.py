"""When a delivery is tried again."""

from __future__ import annotations

import pytest

from quatrain.server.webhooks.schedule import TRIES, seconds_until_next_try


def test_delays_grow_to_a_day_and_end() -> None:
    """Eight more tries after the first."""
    delays = [seconds_until_next_try(failed, luck=0.5) for failed in range(1, 12)]
    assert [1, 5, 30, 120, 600, 3600, 21600, 86400, None, None, None] == delays
    assert TRIES == 9


@pytest.mark.parametrize(("luck", "seconds"), [(0.0, 27.0), (0.25, 28.5), (0.75, 31.5)])
def test_luck_spreads_a_delay_by_a_tenth(luck: float, seconds: float) -> None:
    """Either way."""
    assert seconds == pytest.approx(seconds_until_next_try(3, luck=luck))


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 1), (0.0, 1), (0.5, 1), (7.5, 7.5), (86_401.0, 86_400)]
)
def test_a_receiver_that_asks_for_longer_gets_it(asked: float | None, seconds: float) -> None:
    """Up to a day."""
    assert seconds == seconds_until_next_try(1, luck=0.5, retry_after=asked)


def test_what_was_asked_for_is_never_undercut() -> None:
    """By no luck."""
    assert seconds_until_next_try(2, luck=0.0, retry_after=5.0) == 5.0


def test_a_receiver_can_not_ask_for_more_tries() -> None:
    """The last one is the last."""
    assert seconds_until_next_try(TRIES, luck=0.5, retry_after=10.0) is None
