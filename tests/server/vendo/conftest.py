"""An app that works on nothing by itself, and somebody who calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.vendo.broker import Connections

from .._support import ServerClock
from ..openapi._contract import Contract
from ._process import Process
from ._support import Caller


@pytest.fixture
async def platform(database: Path, clock: ServerClock) -> AsyncIterator[Starlette]:
    """An app without the demo's data."""
    app = create_app(Settings(database=database, seed=None, background=False), now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def wire(platform: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """No key yet; every answer has to be as the OpenAPI document tells it."""
    contract = Contract(platform)
    transport = httpx.ASGITransport(contract, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    contract.check()


@pytest.fixture
def caller(platform: Starlette, wire: httpx.AsyncClient) -> Caller:
    """The app "shop" of the tenant "acme"."""
    return Caller.new(platform, wire)


@pytest.fixture
def connections(platform: Starlette) -> Connections:
    found: Connections = platform.state.vendo.connections
    return found


@pytest.fixture
def server(database: Path) -> Iterator[Process]:
    server = Process(database)
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.communicate()
