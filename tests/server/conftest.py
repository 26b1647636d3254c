"""A local platform in a temporary directory, on a clock that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.ledger import Ledger
from quatrain.server.store import SqliteStore

from ._support import Client, ServerClock, make_realm
from .openapi._contract import Contract


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone: uvicorn does."""
    return "asyncio"


@pytest.fixture
def clock() -> ServerClock:
    return ServerClock()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "quatrain.db"


@pytest.fixture
def store(database: Path, clock: ServerClock) -> Iterator[SqliteStore]:
    with SqliteStore(database, now_ms=clock) as store:
        yield store


@pytest.fixture
def realm(store: SqliteStore) -> int:
    return make_realm(store, "acme", "test")


@pytest.fixture
def ledger(store: SqliteStore) -> Ledger:
    return Ledger(store)


@pytest.fixture
async def app(database: Path, clock: ServerClock) -> AsyncIterator[Starlette]:
    app = create_app(Settings(database=database), now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """No key yet; every answer has to be as the OpenAPI document tells it."""
    contract = Contract(app)
    transport = httpx.ASGITransport(contract, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/v1") as client:
        yield client
    contract.check()


@pytest.fixture
def client(app: Starlette, http: httpx.AsyncClient) -> Client:
    """With a test key of the tenant "acme"."""
    _, secret = app.state.keys.create(tenant="acme", name="tests")
    return Client(http, secret, app.state.keys)
