"""A browser without a screen or scripts: it keeps cookies, and posts the forms that pages hold."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import attrs
import httpx
import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server.keys import DEFAULT_SCOPES
from quatrain.server.ledger import EffectId, Ledger

ORIGIN = "http://localhost"
FORM = {
    "origin": ORIGIN,
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
}


@attrs.frozen
class Browser:
    """One profile."""

    app: Starlette
    http: httpx.AsyncClient
    key: Secret
    realm_id: int

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.app.state.store)

    def effect(self, key: str = "k", namespace: str = "ns") -> EffectId:
        return EffectId(self.realm_id, namespace, key)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def text(self, path: str) -> str:
        """A page that must be there."""
        answer = await self.get(path)
        assert 200 == answer.status_code, answer.text
        return answer.text

    async def send(self, path: str, **fields: str) -> httpx.Response:
        """Post exactly that, as a form of the site's own page."""
        return await self.http.post(path, data=fields, headers=FORM)

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Post a form of this session."""
        page = await self.text("/effects")
        return await self.send(path, form_token=hidden(page, "form_token"), **fields)

    async def login(self, key: Secret | None = None, **more: str) -> httpx.Response:
        return await self.send("/login", key=(self.key if key is None else key).reveal(), **more)


def hidden(page: str, name: str) -> str:
    """The value of a form's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return unescape(found[1])


def words(page: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def browser_of(app: Starlette, scopes: Any = DEFAULT_SCOPES, tenant: str = "acme") -> Browser:
    """A new profile, and a key; nobody is signed in yet."""
    _, key = app.state.keys.create(tenant=tenant, name="ops", scopes=scopes)
    transport = httpx.ASGITransport(app)
    http = httpx.AsyncClient(transport=transport, base_url=f"{ORIGIN}/explorer")

    def realm(connection: Any, _now: int, _: None) -> int:
        query = "SELECT id FROM realms WHERE tenant = ? AND mode = 'test'"
        return int(connection.execute(query, (tenant,)).fetchone()[0])

    return Browser(app, http, key, app.state.store.read_blocking(realm, None))


@pytest.fixture
async def stranger(app: Starlette) -> AsyncIterator[Browser]:
    """Not signed in."""
    browser = browser_of(app)
    async with browser.http:
        yield browser


@pytest.fixture
async def browser(stranger: Browser) -> Browser:
    """Signed in with a key for all about effects."""
    answer = await stranger.login()
    assert 303 == answer.status_code, answer.text
    return stranger
