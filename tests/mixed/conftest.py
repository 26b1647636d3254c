"""The async client on a ledger in memory, and a task of its own to cancel it in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from quatrain.verity import AsyncVerityClient

from .._doubles import BASE_URL, KEY, AsyncLedgerTransport, AsyncManualClock, FakeLedger
from ._tasks import Task

Connect = Callable[..., AsyncVerityClient]


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
) -> AsyncIterator[Connect]:
    async with httpx.AsyncClient(transport=transport) as http:
        usual = {"base_url": BASE_URL, "api_key": KEY, "namespace": "ns", "http_client": http}
        yield lambda **settings: AsyncVerityClient(**usual | {"clock": clock} | settings)


@pytest.fixture
def verity(connect: Connect) -> AsyncVerityClient:
    return connect()


@pytest.hookimpl(tryfirst=True)  # else anyio has parametrized its backend already
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "task" in metafunc.fixturenames:
        ways = [("asyncio", "scope"), ("asyncio", "task"), ("trio", "scope")]
        metafunc.parametrize(("anyio_backend", "task"), ways, indirect=["task"])


@pytest.fixture
async def task(request: pytest.FixtureRequest) -> Task:
    return Task(request.param)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where a download goes, and there is a file already."""
    (tmp_path / "e").write_text("the old one")
    return tmp_path / "e"
