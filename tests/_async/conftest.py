"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from quatrain._async.velerian import AsyncVelerianClient
from quatrain.velocity import AsyncVelocityOS
from quatrain.verity import AsyncVerityClient

from .. import _business, _governance
from .._business import FakeBusiness
from .._doubles import (
    BASE_URL,
    KEY,
    AsyncInstantClock,
    AsyncLedgerTransport,
    AsyncManualClock,
    FakeLedger,
)
from .._governance import FakeGovernance


@pytest.fixture
def clock() -> AsyncManualClock:
    return AsyncManualClock()


@pytest.fixture
def ledger(clock: AsyncManualClock) -> FakeLedger:
    return FakeLedger(clock)


@pytest.fixture
def transport(ledger: FakeLedger) -> AsyncLedgerTransport:
    return AsyncLedgerTransport(ledger)


@pytest.fixture
async def connect(
    transport: AsyncLedgerTransport, clock: AsyncManualClock
) -> AsyncIterator[Callable[..., AsyncVerityClient]]:
    async with httpx.AsyncClient(transport=transport) as http:

        def connect(**settings: Any) -> AsyncVerityClient:
            usual = {
                "base_url": BASE_URL,
                "api_key": KEY,
                "namespace": "ns",
                "http_client": http,
                "clock": clock,
            }
            return AsyncVerityClient(**usual | settings)

        yield connect


@pytest.fixture
def verity(connect: Callable[..., AsyncVerityClient]) -> AsyncVerityClient:
    return connect()


@pytest.fixture
def business() -> FakeBusiness:
    return FakeBusiness()


@pytest.fixture
def instant() -> AsyncInstantClock:
    return AsyncInstantClock()


@pytest.fixture
async def connect_velocity(
    business: FakeBusiness, instant: AsyncInstantClock
) -> AsyncIterator[Callable[..., AsyncVelocityOS]]:
    async with httpx.AsyncClient(transport=AsyncLedgerTransport(business)) as http:

        def connect(**settings: Any) -> AsyncVelocityOS:
            usual = {
                "api_key": _business.KEY,
                "base_url": _business.ORIGIN,
                "http_client": http,
                "clock": instant,
            }
            return AsyncVelocityOS(**usual | settings)

        yield connect


@pytest.fixture
def vos(connect_velocity: Callable[..., AsyncVelocityOS]) -> AsyncVelocityOS:
    return connect_velocity()


@pytest.fixture
def governance() -> FakeGovernance:
    return FakeGovernance()


@pytest.fixture
async def connect_velerian(
    governance: FakeGovernance, instant: AsyncInstantClock
) -> AsyncIterator[Callable[..., AsyncVelerianClient]]:
    async with httpx.AsyncClient(transport=AsyncLedgerTransport(governance)) as http:

        def connect(**settings: Any) -> AsyncVelerianClient:
            usual = {
                "api_key": _governance.KEY,
                "base_url": _governance.ORIGIN,
                "http_client": http,
                "clock": instant,
            }
            return AsyncVelerianClient(**usual | settings)

        yield connect


@pytest.fixture
def velerian(connect_velerian: Callable[..., AsyncVelerianClient]) -> AsyncVelerianClient:
    return connect_velerian()
