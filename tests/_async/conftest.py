"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from quatrain._async.velerian import AsyncVelerianClient
from quatrain._tokens import TOKENS
from quatrain.velocity import AsyncVelocityOS
from quatrain.vendo import AsyncVendo
from quatrain.verity import AsyncVerityClient

from .. import _business, _governance, _vendo
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
from .._vendo import FakeVendo


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


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendo]:
    """Vendo, and a process that knows no tokens yet."""
    for name in _vendo.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield FakeVendo()
    TOKENS.clear()


@pytest.fixture
async def connect_vendo(
    platform: FakeVendo, instant: AsyncInstantClock
) -> AsyncIterator[Callable[..., AsyncVendo]]:
    async with httpx.AsyncClient(transport=AsyncLedgerTransport(platform)) as http:

        def connect(**settings: Any) -> AsyncVendo:
            usual = {
                "api_key": _vendo.KEY,
                "base_url": _vendo.ORIGIN,
                "credentials_url": _vendo.CREDENTIALS,
                "data_proxy_url": _vendo.PROXY,
                "http_client": http,
                "clock": instant,
            }
            return AsyncVendo(**usual | settings)

        yield connect


@pytest.fixture
def vendo(connect_vendo: Callable[..., AsyncVendo]) -> AsyncVendo:
    return connect_vendo()
