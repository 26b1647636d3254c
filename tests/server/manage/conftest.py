"""The management API of a seeded platform, which sends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.keys import Scope
from quatrain.server.webhooks import Dispatcher

from ..openapi._contract import Contract


@attrs.frozen
class Api:
    """Speaks the management API with a key, and shows whole answers."""

    http: httpx.AsyncClient
    headers: dict[str, str] = attrs.field(repr=False)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query, headers=self.headers)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.http.post(path, json=body, headers=self.headers)

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The things of a list that must be there."""
        answer = await self.get(path, **query)
        assert 200 == answer.status_code, answer.text
        return answer.json()["items"]

    async def made(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a POST that must go well."""
        answer = await self.post(path, **body)
        assert 200 == answer.status_code, answer.text
        return answer.json()


@pytest.fixture
def wakes(monkeypatch) -> list[str]:
    """One entry for each time that the dispatcher is woken."""
    found: list[str] = []
    monkeypatch.setattr(Dispatcher, "wake", lambda self: found.append("woken"))
    return found


@pytest.fixture
async def app(database, clock, wakes) -> AsyncIterator[Starlette]:
    app = create_app(Settings(database=database, background=False), now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app) -> AsyncIterator[httpx.AsyncClient]:
    """No key yet; every answer has to be as the OpenAPI document tells it."""
    url = "http://localhost/manage/v1"
    contract = Contract(app)
    transport = httpx.ASGITransport(contract)
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        yield client
    contract.check()


@pytest.fixture
def api_of(app, http):
    """The API with a key of a tenant: ``api_of("acme")``."""

    def make(tenant: str, scopes=(Scope.MANAGE,)) -> Api:
        _, secret = app.state.keys.create(tenant=tenant, scopes=scopes)
        return Api(http, {"authorization": f"Bearer {secret.reveal()}"})

    return make


@pytest.fixture
def api(api_of) -> Api:
    """Of the tenant whose account is seeded."""
    return api_of("local")
