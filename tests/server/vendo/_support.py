"""What the tests of Vendo's local half share."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Self

import httpx
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server.store import Store

TENANT = "acme"
APP = "shop"


class Caller:
    """Speaks Vendo's wire with a key, and shows whole answers."""

    def __init__(self, app: Starlette, http: httpx.AsyncClient, secret: Secret) -> None:
        self.app = app
        self.http = http
        self.secret = secret
        self.user: str | None = None
        """The user's token that each request carries."""

    @classmethod
    def new(
        cls,
        app: Starlette,
        http: httpx.AsyncClient,
        slug: str = APP,
        tenant: str = TENANT,
        **options: Any,
    ) -> Self:
        """With a new key."""
        _, secret = app.state.vendo.keys.create(tenant, slug, **options)
        return cls(app, http, secret)

    def other(self, slug: str = "other", tenant: str = TENANT, **options: Any) -> Caller:
        """Somebody else on the same platform."""
        return Caller.new(self.app, self.http, slug, tenant, **options)

    async def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Any request; *path* is below the origin."""
        own = {"authorization": f"Bearer {self.secret.reveal()}"}
        if self.user is not None:
            own["x-vendo-user-jwt"] = self.user
        return await self.http.request(method, path, headers={**own, **(headers or {})}, **options)

    async def get(self, path: str, **query: Any) -> Any:
        """What a GET that must succeed answers."""
        response = await self.send("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()


async def refusal(caller: Caller, method: str, path: str, **options: Any) -> tuple[int, str]:
    """The status and the code of a request that must fail."""
    response = await caller.send(method, path, **options)
    error = response.json()["error"]
    assert {"error"} == response.json().keys()
    assert error["code"] == response.headers["vendo-error-code"]
    return response.status_code, error["code"]


def rows(store: Store, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    return store.read_blocking(
        lambda connection, _now, _: connection.execute(statement, values).fetchall(), None
    )


def change(store: Store, statement: str, *values: Any) -> None:
    """Run one statement."""

    def run(connection: sqlite3.Connection, _now: int, _: None) -> None:
        connection.execute(statement, values)

    store.write_blocking(run, None)


def told(app: Starlette, slug: str = APP, *, whole: bool = False) -> list[Any]:
    """The events of the app with that slug: each one's kind, or *whole*."""
    statement = (
        "SELECT e.payload FROM vendo_events e JOIN vendo_apps a ON a.id = e.app_id"
        " WHERE a.slug = ? ORDER BY e.id"
    )
    payloads = [json.loads(text) for (text,) in rows(app.state.store, statement, slug)]
    return payloads if whole else [each["kind"] for each in payloads]
