"""The waits between a stream's connections."""

from __future__ import annotations

import pytest

from quatrain._reconnect import LONGEST_RETRY_AFTER, WARN_AFTER, Reconnects


def test_waits_double_up_to_the_longest() -> None:
    """From one second on (contracts, Vendo, "Events (SSE)")."""
    reconnects = Reconnects(30.0)
    assert [1, 2, 4, 8, 16, 30, 30] == [reconnects.wait(0.0) for _ in range(7)]


def test_a_quarter_is_drawn() -> None:
    """Added below the longest, taken off at it: never longer, and never all at once."""
    reconnects = Reconnects(10.0)
    assert [1.25, 2.5, 5.0, 10.0, 7.5, 7.5] == [reconnects.wait(1.0) for _ in range(6)]


def test_only_an_event_ends_an_outage() -> None:
    """Bytes do not."""
    reconnects = Reconnects(30.0)
    waits = [reconnects.wait(0.0), reconnects.wait(0.0)]
    reconnects.bytes_arrived()
    waits.append(reconnects.wait(0.0))
    reconnects.event_arrived()
    waits.append(reconnects.wait(0.0))
    assert waits == [1, 2, 4, 1]


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, [1, 2]), (3_000, [3, 6]), (20_000, [20, 30]), (10**12, [30, 30])],
)
def test_the_servers_retry_is_the_first_wait(milliseconds: int, expected: list[float]) -> None:
    """Where it is longer, and within the longest."""
    reconnects = Reconnects(30.0)
    reconnects.asked_to_wait(milliseconds)
    assert expected == [reconnects.wait(0.0), reconnects.wait(0.0)]


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [(None, 1), (0.0, 1), (0.5, 1), (40.0, 40), (1e9, LONGEST_RETRY_AFTER)],
)
def test_a_retry_after_is_never_waited_shorter(retry_after: float | None, expected: float) -> None:
    """But for one that is absurd."""
    assert Reconnects(30.0).wait(0.0, retry_after) == expected


def test_a_short_longest_wait_is_kept_to() -> None:
    """Below the first second, and nothing at all."""
    assert Reconnects(0.2).wait(0.0) == 0.2
    assert Reconnects(0.0).wait(0.5) == 0.0


def test_an_outage_of_a_thousand_tries() -> None:
    """Powers of two overflow."""
    reconnects = Reconnects(30.0)
    assert {reconnects.wait(0.0) for _ in range(2_000)} == {1, 2, 4, 8, 16, 30}


def test_one_warning_an_outage() -> None:
    """When it has lasted; what arrives between makes it another one."""
    reconnects = Reconnects(30.0)
    warned = [reconnects.failed() for _ in range(WARN_AFTER + 5)]
    assert warned == [number == WARN_AFTER for number in range(1, WARN_AFTER + 6)]
    reconnects.bytes_arrived()
    assert [reconnects.failed() for _ in range(WARN_AFTER)] == [False] * (WARN_AFTER - 1) + [True]
