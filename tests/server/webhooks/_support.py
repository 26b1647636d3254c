"""What the webhooks' tests share."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import httpx

from quatrain._secret import Secret
from quatrain.server.store import Store
from quatrain.server.webhooks import Delivery, Dispatcher, Endpoint, Filter, Pace, outbox
from quatrain.server.webhooks import endpoints as endpoint_operations

PATIENCE = 30.0
"""Seconds until what should come is taken for what never does."""
QUICK = Pace(poll=0.001)

_ACCOUNT = (
    "INSERT INTO velocity_accounts (tenant, email, name, tier, venture_id, profile, created_at) "
    "VALUES (?, '', '', '', '', '{}', 0) RETURNING id"
)
_EXTENSION = (
    "INSERT INTO velocity_extensions (account_id, slug, name, developer, created_at) "
    "VALUES (?, ?, '', '', 0) RETURNING id"
)


@attrs.frozen
class Site:
    """One account with one extension."""

    store: Store
    account_id: int
    extension_id: int

    def add_endpoint(
        self,
        url: str = "http://receiver.test/hook",
        events: Any = "*",
        secret: str = "whsec_secret",
    ) -> Endpoint:
        params = {
            "extension_id": self.extension_id,
            "url": url,
            "events": events,
            "secret": Secret(secret),
        }
        return self.store.write_blocking(endpoint_operations.add_endpoint, params)

    def add(self, endpoint: Endpoint, event_type: str = "team.added", payload: str = "{}") -> str:
        """An event in the outbox."""
        return self.add_many([endpoint], event_type, payload)[0]

    def add_many(
        self, endpoints: list[Endpoint], event_type: str = "team.added", payload: str = "{}"
    ) -> list[str]:
        """One event to many, in one transaction."""

        def write(connection: sqlite3.Connection, now: int, _: None) -> list[str]:
            return [
                outbox.add(connection, now, endpoint.id, event_type, payload)
                for endpoint in endpoints
            ]

        return self.store.write_blocking(write, None)

    def deliveries(self, **wanted: Any) -> list[Delivery]:
        """Oldest first."""
        params = {
            "account_id": self.account_id,
            "filter": Filter(**wanted),
            "before": None,
            "limit": 10_000,
        }
        return self.store.read_blocking(outbox.list_deliveries, params).items[::-1]

    def delivery(self, delivery_id: str) -> Delivery:
        params = {"account_id": self.account_id, "delivery_id": delivery_id}
        found = self.store.read_blocking(outbox.get_delivery, params)
        assert isinstance(found, Delivery)
        return found

    def resend(self, delivery_id: str) -> Any:
        params = {"account_id": self.account_id, "delivery_id": delivery_id}
        return self.store.write_blocking(outbox.resend, params)

    def remove(self, endpoint: Endpoint) -> Any:
        params = {"account_id": self.account_id, "endpoint_id": endpoint.id}
        return self.store.write_blocking(endpoint_operations.remove_endpoint, params)

    async def idle(self) -> None:
        """Return when nothing is under way and nothing is due."""
        async with asyncio.timeout(PATIENCE):
            while await self.store.read(_unsettled, None):
                await asyncio.sleep(0)


def make_site(store: Store, tenant: str = "acme") -> Site:
    def write(connection: sqlite3.Connection, now: int, _: None) -> tuple[int, int]:
        (account_id,) = connection.execute(_ACCOUNT, (tenant,)).fetchone()
        (extension_id,) = connection.execute(_EXTENSION, (account_id, "ext")).fetchone()
        return account_id, extension_id

    return Site(store, *store.write_blocking(write, None))


def _unsettled(connection: sqlite3.Connection, now: int, _: None) -> int:
    statement = (
        "SELECT count(*) FROM webhook_deliveries "
        "WHERE status = 'PENDING' AND (next_attempt_at <= ? OR claimed_until IS NOT NULL)"
    )
    (count,) = connection.execute(statement, (now,)).fetchone()
    return int(count)


Answer = Callable[[httpx.Request], Awaitable[httpx.Response] | httpx.Response | int]


class Receiver:
    """Stands where the network would be, and notes what comes in."""

    def __init__(self, answer: Answer = lambda request: 200) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []
        self.under_way: Counter[str] = Counter()
        """By delivery, now."""
        self.most: Counter[str] = Counter()
        """By delivery, and by host: the most at a time."""
        self.clients: list[httpx.AsyncClient] = []

    def make_client(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        self.clients.append(client)
        return client

    def dispatcher(self, store: Store, pace: Pace = QUICK, luck: float = 0.5) -> Dispatcher:
        return Dispatcher(store, make_client=self.make_client, luck=lambda: luck, pace=pace)

    @property
    def deliveries(self) -> list[str]:
        """The ids that came in, in order."""
        return [request.headers["x-vos-delivery-id"] for request in self.requests]

    async def received(self, number: int) -> None:
        """Return when so many requests have come in."""
        async with asyncio.timeout(PATIENCE):
            while len(self.requests) < number:
                await asyncio.sleep(0)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        names = (request.headers["x-vos-delivery-id"], request.url.host)
        for name in names:
            self.under_way[name] += 1
            self.most[name] = max(self.most[name], self.under_way[name])
        try:
            answer = self.answer(request)
            if isinstance(answer, Awaitable):
                answer = await answer
            return httpx.Response(answer) if isinstance(answer, int) else answer
        finally:
            for name in names:
                self.under_way[name] -= 1


class Counting:
    """What a store is that counts what a dispatcher asks of it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reads = 0
        self.writes = 0
        self.claims_nothing = False
        """As if another dispatcher were always quicker."""

    async def read(self, query: Any, argument: Any) -> Any:
        answer = await super().read(query, argument)  # type: ignore[misc]
        self.reads += 1
        return answer

    async def write(self, operation: Any, argument: Any) -> Any:
        self.writes += 1
        return [] if self.claims_nothing else await super().write(operation, argument)  # type: ignore[misc]

    async def has_read(self, number: int) -> None:
        """Return when the dispatcher has read so often, and has drawn its conclusions."""
        async with asyncio.timeout(PATIENCE):
            while self.reads < number:
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)


def workers() -> list[str]:
    """The dispatchers that are at work on this event loop."""
    return [task.get_name() for task in asyncio.all_tasks() if "webhooks" in task.get_name()]


PATIENT = Pace(poll=3_600)
"""Looks only when it is woken, or when something is due."""


def statuses(site: Site) -> Counter[str]:
    return Counter(delivery.status.value for delivery in site.deliveries())
