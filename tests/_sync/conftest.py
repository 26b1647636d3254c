# Generated from tests/_async/conftest.py by scripts/make_sync.py. Do not edit.
"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quatrain._sync.velerian import VelerianClient
from quatrain.velocity import VelocityOS
from quatrain.verity import VerityClient

from .. import _business, _governance
from .._business import FakeBusiness
from .._doubles import (
    BASE_URL,
    KEY,
    FakeLedger,
    InstantClock,
    LedgerTransport,
    ManualClock,
)
from .._governance import FakeGovernance


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(clock: ManualClock) -> FakeLedger:
    return FakeLedger(clock)


@pytest.fixture
def transport(ledger: FakeLedger) -> LedgerTransport:
    return LedgerTransport(ledger)


@pytest.fixture
def connect(
    transport: LedgerTransport, clock: ManualClock
) -> Iterator[Callable[..., VerityClient]]:
    with httpx.Client(transport=transport) as http:

        def connect(**settings: Any) -> VerityClient:
            usual = {
                "base_url": BASE_URL,
                "api_key": KEY,
                "namespace": "ns",
                "http_client": http,
                "clock": clock,
            }
            return VerityClient(**usual | settings)

        yield connect


@pytest.fixture
def verity(connect: Callable[..., VerityClient]) -> VerityClient:
    return connect()


@pytest.fixture
def business() -> FakeBusiness:
    return FakeBusiness()


@pytest.fixture
def instant() -> InstantClock:
    return InstantClock()


@pytest.fixture
def connect_velocity(
    business: FakeBusiness, instant: InstantClock
) -> Iterator[Callable[..., VelocityOS]]:
    with httpx.Client(transport=LedgerTransport(business)) as http:

        def connect(**settings: Any) -> VelocityOS:
            usual = {
                "api_key": _business.KEY,
                "base_url": _business.ORIGIN,
                "http_client": http,
                "clock": instant,
            }
            return VelocityOS(**usual | settings)

        yield connect


@pytest.fixture
def vos(connect_velocity: Callable[..., VelocityOS]) -> VelocityOS:
    return connect_velocity()


@pytest.fixture
def governance() -> FakeGovernance:
    return FakeGovernance()


@pytest.fixture
def connect_velerian(
    governance: FakeGovernance, instant: InstantClock
) -> Iterator[Callable[..., VelerianClient]]:
    with httpx.Client(transport=LedgerTransport(governance)) as http:

        def connect(**settings: Any) -> VelerianClient:
            usual = {
                "api_key": _governance.KEY,
                "base_url": _governance.ORIGIN,
                "http_client": http,
                "clock": instant,
            }
            return VelerianClient(**usual | settings)

        yield connect


@pytest.fixture
def velerian(connect_velerian: Callable[..., VelerianClient]) -> VelerianClient:
    return connect_velerian()
