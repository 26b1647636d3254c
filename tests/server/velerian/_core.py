"""What the tests of Velerian's local half share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Self

import httpx
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server.store import Store
from quatrain.server.velerian.runner import Request

TENANT = "acme"

POLICY: dict[str, Any] = {
    "default": "allow",
    "rules": [
        {
            "name": "forbidden",
            "when": {"field": "amount", "op": "gt", "value": 1_000},
            "then": "deny",
            "reason": "too much",
        },
        {
            "name": "large",
            "when": {"field": "amount", "op": "gt", "value": 100},
            "then": "require_human",
            "reason": "a person decides",
        },
        {
            "name": "secret",
            "when": {"field": "secret", "op": "eq", "value": True},
            "then": "withhold",
            "reason": "not to be told",
        },
        {
            "name": "medium",
            "when": {"field": "amount", "op": "gt", "value": 10},
            "then": "condition",
            "reason": "keep the receipt",
        },
    ],
}


class Model:
    """Repeats its prompt, and notes what it was asked; or fails when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.failure: Exception | None = None
        self.spoils = False
        """Writes into what it was asked."""

    def __call__(self, request: Request) -> str:
        self.asked.append(request)
        if self.spoils:
            request.payload.update(amount=0, of={"no", "JSON"})
        if self.failure is not None:
            raise self.failure
        return f"said: {request.prompt}"


class Caller:
    """Speaks Velerian's wire with a key, and shows whole answers."""

    def __init__(self, app: Starlette, http: httpx.AsyncClient, secret: Secret) -> None:
        self.app = app
        self.http = http
        self.secret = secret

    @classmethod
    def new(
        cls, app: Starlette, http: httpx.AsyncClient, tenant: str = TENANT, **options: Any
    ) -> Self:
        """With a new key."""
        _, secret = app.state.velerian.keys.create(tenant, **options)
        return cls(app, http, secret)

    def other(self, tenant: str = TENANT, **options: Any) -> Caller:
        """Somebody else on the same platform."""
        return Caller.new(self.app, self.http, tenant, **options)

    async def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Any request."""
        own = {"authorization": f"Bearer {self.secret.reveal()}"}
        return await self.http.request(method, path, headers={**own, **(headers or {})}, **options)

    async def get(self, path: str, **query: Any) -> Any:
        """What a GET that must succeed answers."""
        response = await self.send("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """POST a JSON body, with an Idempotency-Key when there is one."""
        headers = {} if key is None else {"idempotency-key": key}
        # in ASCII, which can write what no UTF-8 can hold
        return await self.send("POST", path, headers, content=json.dumps(body))

    async def invoke(self, payload: Any, abp_id: str = "pay", key: str | None = None) -> Any:
        """What an invocation that must be taken answers."""
        response = await self.post(f"abps/{abp_id}/invoke", {"payload": payload}, key)
        assert response.status_code == 200, response.text
        return response.json()

    async def make_abp(self, tenant: str = TENANT, **options: Any) -> None:
        """The ABP "pay", deployed."""
        given = {"abp_id": "pay", "name": "Payments", "policy": POLICY, "state": "deployed"}
        await self.app.state.velerian.abps.create(tenant, **{**given, **options})


async def refusal(caller: Caller, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """The status and the detail of a request that must fail."""
    response = await caller.send(method, path, **options)
    assert {"detail"} == response.json().keys()
    return response.status_code, response.json()["detail"]


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


def actions(entries: Iterable[dict[str, Any]]) -> list[str]:
    """What was done, by the audit log's rows."""
    return [entry["action"] for entry in entries]
