"""An app with ABPs, of which evidence is exported."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.evidence import read_packs
from quatrain.server import Settings, create_app
from quatrain.server.velerian.call import Services

from .._support import ServerClock

MINUTE = 60_000
VALID = 15 * MINUTE
POLICY = {
    "rules": [
        {
            "name": "large",
            "when": {"field": "amount", "op": "gt", "value": 100},
            "then": "require_human",
            "reason": "a person decides",
        }
    ]
}
THEN = "2027-01-15T08:00:00Z"
"""The clock's start."""


@attrs.frozen
class Site:
    """An app with the deployed ABPs "loans" and "grants" of the tenant "acme", and its keys."""

    app: Starlette
    http: httpx.AsyncClient
    secret: Secret

    @property
    def services(self) -> Services:
        services: Services = self.app.state.velerian
        return services

    def key(self, tenant: str, *scopes: str) -> Secret:
        _, secret = self.services.keys.create(tenant, name="k", scopes=scopes, user_id="ann")
        return secret

    async def get(self, path: str, key: Secret | None = None, **query: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {(key or self.secret).reveal()}"}
        return await self.http.get(path, params=query, headers=headers)

    async def open(self, url: str) -> httpx.Response:
        """Without a key."""
        return await self.http.get(url)

    async def invoke(self, abp_id: str = "loans", **payload: Any) -> Any:
        """An invocation, as the service has it."""
        return await self.services.invocations.invoke("acme", abp_id, payload, by="ann")

    async def export(self, path: str, **query: Any) -> dict[str, Any]:
        """What is answered of an export, which must be one."""
        response = await self.get(path, **query)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def evidence(self, invocation: Any, **query: Any) -> dict[str, Any]:
        """Export the evidence of an invocation."""
        path = f"/abps/{invocation.abp_id}/invocations/{invocation.invocation_id}/evidence"
        return await self.export(path, **query)

    async def package(self, abp_id: str = "loans", **query: Any) -> dict[str, Any]:
        """Export an ABP's."""
        return await self.export(f"/abps/{abp_id}/evidence-package", **query)

    async def download(self, export: dict[str, Any]) -> bytes:
        """What is behind an export's link."""
        response = await self.open(export["download_url"])
        assert response.status_code == 200, response.text
        return response.content

    def change(self, statement: str, *values: Any) -> None:
        """Tamper with the database."""
        self.services.store.write_blocking(
            lambda connection, _now, _: connection.execute(statement, values), None
        )

    def audit(self) -> list[tuple[Any, ...]]:
        """The log's exports."""
        statement = (
            "SELECT actor_user_id, resource_kind, resource_id, detail FROM velerian_audit "
            "WHERE action = 'evidence.export' ORDER BY sequence"
        )
        rows = self.services.store.read_blocking(
            lambda connection, _now, _: connection.execute(statement).fetchall(), None
        )
        return [(*row[:3], json.loads(row[3])) for row in rows]


async def made_site(settings: Settings, clock: ServerClock) -> AsyncIterator[Site]:
    app = create_app(settings, now_ms=clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v2") as http,
    ):
        abps = app.state.velerian.abps
        for name in ("loans", "grants"):
            await abps.create("acme", name=name, policy=POLICY, abp_id=name, state="deployed")
        _, secret = app.state.velerian.keys.create(
            "acme", name="tests", scopes=["read"], user_id="ann"
        )
        yield Site(app, http, secret)


FORMATS = pytest.mark.parametrize("file_format", ["json", "zip"])


def subjects(content: bytes) -> list[tuple[int, str]]:
    """Of the packs whose bodies are there: (sequence, subject)."""
    return [(pack["sequence"], pack["subject_id"]) for pack in read_packs(content)]
