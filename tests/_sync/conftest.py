# Generated from tests/_async/conftest.py by scripts/make_sync.py. Do not edit.
"""A client on a ledger in memory, and time that only the test moves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quatrain._sync.velerian import VelerianClient
from quatrain._tokens import TOKENS
from quatrain.velocity import VelocityOS
from quatrain.vendo import Vendo
from quatrain.verity import VerityClient

from .. import _business, _governance, _vendo
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
from .._vendo import FakeVendo


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


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendo]:
    """Vendo, and a process that knows no tokens yet."""
    for name in _vendo.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield FakeVendo()
    TOKENS.clear()


@pytest.fixture
def connect_vendo(platform: FakeVendo, instant: InstantClock) -> Iterator[Callable[..., Vendo]]:
    with httpx.Client(transport=LedgerTransport(platform)) as http:

        def connect(**settings: Any) -> Vendo:
            usual = {
                "api_key": _vendo.KEY,
                "base_url": _vendo.ORIGIN,
                "credentials_url": _vendo.CREDENTIALS,
                "data_proxy_url": _vendo.PROXY,
                "http_client": http,
                "clock": instant,
            }
            return Vendo(**usual | settings)

        yield connect


@pytest.fixture
def vendo(connect_vendo: Callable[..., Vendo]) -> Vendo:
    return connect_vendo()
