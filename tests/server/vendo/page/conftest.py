"""A platform that knows one app, and somebody whom the app sends to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app

from ..._support import ServerClock
from ._visitor import Visitor


@pytest.fixture
async def platform(database: Path, clock: ServerClock) -> AsyncIterator[Starlette]:
    settings = Settings(
        database=database,
        seed=None,
        background=False,
        vendo_return_to=["https://app.example"],
        allowed_hosts=["behind.example"],
    )
    app = create_app(settings, now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def visitor(platform: Starlette) -> Visitor:
    platform.state.vendo.apps.ensure("acme", "shop", name="Shop & <b>Sons</b>")
    _, secret = platform.state.vendo.keys.create("acme", "shop")
    return Visitor(platform, secret)
