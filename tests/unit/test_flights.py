"""Flights: one fetch for all, and who may land it."""

from __future__ import annotations

import pytest

from quatrain._runtime._flights import Flights


def test_one_leads_and_the_others_wait() -> None:
    """Until it has landed; then somebody leads the next."""
    flights: Flights[str] = Flights()
    flight, leads = flights.join("key")
    assert (flights.join("key"), leads) == ((flight, False), True)
    assert flights.known() == ["key"]
    flights.land("key", flight, "value")
    assert flight.outcome.result() == "value"
    assert flights.join("key")[1]
    assert flights.join("another")[1]


def test_an_error_is_handed_on_and_a_cancellation_is_not() -> None:
    """Of the one everybody is told; of the other only that somebody else has to lead."""
    flights: Flights[str] = Flights()
    flight, _ = flights.join("key")
    flights.fail("key", flight, ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        flight.outcome.result()
    flight, leads = flights.join("key")
    assert leads
    flights.fail("key", flight, KeyboardInterrupt())
    assert flight.outcome.result() is None
    assert flights.known() == []


def test_what_has_landed_does_not_fail_any_more() -> None:
    """Its leader was interrupted right after."""
    flights: Flights[str] = Flights()
    flight, _ = flights.join("key")
    flights.land("key", flight, "value")
    flights.fail("key", flight, KeyboardInterrupt())
    assert flight.outcome.result() == "value"


def test_a_flight_that_nobody_can_join_any_more_leaves_its_successor_alone() -> None:
    """It lands for those who have joined it."""
    flights: Flights[str] = Flights()
    old, _ = flights.join("key")
    assert flights.part("key")
    new, leads = flights.join("key")
    assert leads
    assert not flights.part("key", old)
    flights.land("key", old, "old")
    assert (flights.join("key")[0], old.outcome.result()) == (new, "old")
