# Generated from tests/_async/conftest.py by scripts/make_sync.py. Do not edit.
"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quatrain.verity import VerityClient

from .._doubles import BASE_URL, KEY, FakeLedger, LedgerTransport, ManualClock


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
