"""What the tests of Velocity OS's local half share."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import httpx

from quatrain._secret import Secret
from quatrain.server.store import Store


class Extension:
    """Speaks the Extension API's wire with a key, and shows whole answers."""

    def __init__(self, http: httpx.AsyncClient, secret: Secret) -> None:
        self.http = http
        self._secret = secret

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._secret.reveal()}"}

    async def get(self, path: str) -> httpx.Response:
        """GET below the mount."""
        return await self.http.get(path, headers=self.headers)

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """POST a JSON body, with an Idempotency-Key when there is one."""
        extra = {} if key is None else {"idempotency-key": key}
        return await self.http.post(path, json=body, headers={**self.headers, **extra})

    async def data(self, path: str) -> Any:
        """What a GET that must succeed answers."""
        response = await self.get(path)
        assert response.status_code == 200, response.text
        return response.json()["data"]


def add_endpoint(store: Store, extension_id: int, events: str = "*") -> int:
    """Have an extension's events sent somewhere."""

    def insert(connection: sqlite3.Connection, now: int, _: None) -> int:
        statement = (
            "INSERT INTO webhook_endpoints (extension_id, url, events, secret, created_at)"
            " VALUES (?, 'http://127.0.0.1:9/', ?, 'whsec_test', ?) RETURNING id"
        )
        (row_id,) = connection.execute(statement, (extension_id, events, now)).fetchone()
        return int(row_id)

    return store.write_blocking(insert, None)


def remove_endpoint(store: Store, endpoint_id: int) -> None:
    """Stop that."""
    change(store, "UPDATE webhook_endpoints SET removed_at = 1 WHERE id = ?", endpoint_id)


def change(store: Store, statement: str, *values: Any) -> None:
    """Run one statement."""
    store.write_blocking(lambda connection, _now, _: connection.execute(statement, values), None)


def rows(store: Store, statement: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    return store.read_blocking(
        lambda connection, _now, _: connection.execute(statement).fetchall(), None
    )


def outbox(store: Store) -> list[tuple[int, str, Any]]:
    """Every delivery as (endpoint, event, payload), oldest first."""
    statement = "SELECT endpoint_id, event_type, payload FROM webhook_deliveries ORDER BY id"
    return [(endpoint, event, json.loads(text)) for endpoint, event, text in rows(store, statement)]
