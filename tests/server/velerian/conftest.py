"""Networks whose runs nobody executes unless the test has them executed, and an app to call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.store import Store

from .._support import ServerClock
from ..openapi._contract import Contract
from ._core import Caller, Model
from ._exports import Site, made_site
from ._runs import Place, make_place


@pytest.fixture
async def place(store: Store) -> Place:
    return await make_place(store)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def platform(database: Path, clock: ServerClock, model: Model) -> AsyncIterator[Starlette]:
    """An app without the demo's data, that works on nothing by itself."""
    settings = Settings(database=database, seed=None, background=False, velerian_runner=model)
    app = create_app(settings, now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def wire(platform: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """No key yet; every answer has to be as the OpenAPI document tells it."""
    contract = Contract(platform)
    transport = httpx.ASGITransport(contract, raise_app_exceptions=True)
    base = "http://localhost/api/v2/"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        yield client
    contract.check()


@pytest.fixture
def caller(platform: Starlette, wire: httpx.AsyncClient) -> Caller:
    """Of the tenant "acme", with a key that may do everything."""
    return Caller.new(platform, wire, scopes=["admin"])


@pytest.fixture
async def site(database: Path, clock: ServerClock) -> AsyncIterator[Site]:
    settings = Settings(database=database, seed=None, background=False)
    async for site in made_site(settings, clock):
        yield site


@pytest.fixture
async def streaming(database: Path, clock: ServerClock) -> AsyncIterator[Site]:
    settings = Settings(database=database, seed=None, background=False, velerian_delivery="stream")
    async for site in made_site(settings, clock):
        yield site
