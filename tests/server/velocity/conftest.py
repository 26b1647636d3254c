"""A founder's account, and an app with an extension that was let in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.store import Store
from quatrain.server.velocity import Account, BusinessData, Installs

from .._support import ServerClock
from ..openapi._contract import Contract
from ._support import Extension


@pytest.fixture
def data(store: Store) -> BusinessData:
    return BusinessData(store)


@pytest.fixture
def installs(store: Store) -> Installs:
    return Installs(store)


@pytest.fixture
async def account(data: BusinessData) -> Account:
    """With no business data yet."""
    return await data.ensure_account("acme", email="ann@acme.example", name="Ann")


@pytest.fixture
async def app(database: Path, clock: ServerClock) -> AsyncIterator[Starlette]:
    """On a database without the demo's data, so that ids count from 1."""
    app = create_app(Settings(database=database, seed=None), now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def vos(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """No key yet; every answer has to be as the OpenAPI document tells it."""
    contract = Contract(app)
    transport = httpx.ASGITransport(contract, raise_app_exceptions=True)
    base = "http://localhost/api/v1/extensions"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        yield client
    contract.check()


@pytest.fixture
async def founder(app: Starlette) -> Account:
    """Of the tenant "acme", filled with the demo's data."""
    account: Account = await app.state.velocity.seed("acme")
    return account


@pytest.fixture
def extension(app: Starlette, vos: httpx.AsyncClient, founder: Account) -> Extension:
    """With a key of all scopes."""
    _, secret = app.state.installs.create(founder.id, "sync", name="Sync", developer="Dev")
    return Extension(vos, secret)


@pytest.fixture
def sandbox(app: Starlette, vos: httpx.AsyncClient, founder: Account) -> Extension:
    """With a key of all scopes, in sandbox mode."""
    _, secret = app.state.installs.create(founder.id, "sync", sandbox=True)
    return Extension(vos, secret)
