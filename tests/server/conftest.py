"""A local platform in a temporary directory, on a clock that only the test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.ledger import Ledger
from quatrain.server.store import PostgresURL, Store, store_on
from quatrain.server.store.connection import SIDE_BY_SIDE
from quatrain.server.vendo.sealing import new_key

from ._support import Client, ServerClock, make_realm
from .openapi._contract import Contract


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone: uvicorn does."""
    return "asyncio"


@pytest.fixture
def clock() -> ServerClock:
    return ServerClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses a database is tested on both kinds, unless it is about files."""
    if "database" in metafunc.fixturenames:
        on_file = metafunc.definition.get_closest_marker("on_file") is not None
        on_postgres = pytest.param("postgres", marks=pytest.mark.once)
        kinds = ["sqlite"] if on_file else ["sqlite", on_postgres]
        metafunc.parametrize("database", kinds, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | PostgresURL:
    """Where the platform's data is to be."""
    if request.param == "sqlite":
        return tmp_path / "quatrain.db"
    url: PostgresURL = request.getfixturevalue("postgres_url")
    request.getfixturevalue("monkeypatch").setenv("QUATRAIN_SECRET_KEY", new_key().reveal())
    return url


@pytest.fixture
def store(database: Path | PostgresURL, clock: ServerClock) -> Iterator[Store]:
    with store_on(database, now_ms=clock) as store:
        yield store


@pytest.fixture
def realm(store: Store) -> int:
    return make_realm(store, "acme", "test")


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


@pytest.fixture
async def app(database: Path | PostgresURL, clock: ServerClock) -> AsyncIterator[Starlette]:
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


@pytest.fixture
def marked() -> Iterator[None]:
    """Operations that a test marks as right side by side are forgotten after it."""
    before = dict(SIDE_BY_SIDE)
    yield
    SIDE_BY_SIDE.clear()
    SIDE_BY_SIDE.update(before)
