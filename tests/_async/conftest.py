"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from quatrain.verity import AsyncVerityClient

from .._doubles import BASE_URL, KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger


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
