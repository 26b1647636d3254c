"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from quatrain.verity import AsyncVerityClient

from .._doubles import KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger


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
async def verity(
    transport: AsyncLedgerTransport, clock: AsyncManualClock
) -> AsyncIterator[AsyncVerityClient]:
    async with (
        httpx.AsyncClient(transport=transport) as http,
        AsyncVerityClient(
            base_url="https://ledger.example/v1",
            api_key=KEY,
            namespace="ns",
            http_client=http,
            clock=clock,
        ) as client,
    ):
        yield client
