# Generated from tests/_async/conftest.py by scripts/make_sync.py. Do not edit.
"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from quatrain.verity import VerityClient

from .._doubles import KEY, FakeLedger, LedgerTransport, ManualClock


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
def verity(transport: LedgerTransport, clock: ManualClock) -> Iterator[VerityClient]:
    with (
        httpx.Client(transport=transport) as http,
        VerityClient(
            base_url="https://ledger.example/v1",
            api_key=KEY,
            namespace="ns",
            http_client=http,
            clock=clock,
        ) as client,
    ):
        yield client
