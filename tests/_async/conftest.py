"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from quatrain.velocity import AsyncVelocityOS
from quatrain.verity import AsyncVerityClient

from .. import _business
from .._business import FakeBusiness
from .._doubles import (
    BASE_URL,
    KEY,
    AsyncInstantClock,
    AsyncLedgerTransport,
    AsyncManualClock,
    FakeLedger,
)


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
