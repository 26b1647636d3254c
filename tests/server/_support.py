"""What the server's tests share."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from quatrain._secret import Secret
from quatrain._structure import CAMEL_CASE
from quatrain._trail import TrailCheck
from quatrain.server.keys import KeyRing
from quatrain.server.ledger import EffectId, Granted, Holder, Ledger, Place
from quatrain.server.store import PostgresURL, Store
from quatrain.server.verity import render
from quatrain.verity import EffectTrail

START = 1_800_000_000_000
"""2027-01-15T08:00:00.000Z."""


class ServerClock:
    """The server's clock, in milliseconds since 1970; stands still until it is told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self.now += ms


def make_realm(store: Store, tenant: str, mode: str) -> int:
    """The id of a tenant's realm, without a key to it."""

    def insert(connection: sqlite3.Connection, _now: int, _: None) -> int:
        statement = "INSERT INTO realms (tenant, mode) VALUES (?, ?) RETURNING id"
        (row_id,) = connection.execute(statement, (tenant, mode)).fetchone()
        return int(row_id)

    return store.write_blocking(insert, None)


async def granted(ledger: Ledger, effect: EffectId, **options: Any) -> tuple[Holder, Granted]:
    """Take a lease that must be free."""
    answer = await ledger.lease(effect, **options)
    assert isinstance(answer, tuple), answer
    grant, lease_token = answer
    return Holder(effect, grant.fence_token, lease_token), grant


async def trail(ledger: Ledger, effect: EffectId) -> list[tuple[str, int]]:
    """The audit trail as (type, fence token)."""
    page = await ledger.events(effect, limit=200)
    return [(event.type.value, event.fence_token) for event in page.items]


def as_argument(database: Path | PostgresURL) -> str:
    """For the command line of a process that works on the same database."""
    return database.secret.reveal() if isinstance(database, PostgresURL) else str(database)


def second(store: Store, kind: type | None = None) -> Any:
    """A further store on the database of another; *kind* overrides some of what it does."""
    made = type(store) if kind is None else type(kind.__name__, (kind, type(store)), {})
    return made(store.database, now_ms=store.now_ms)


@contextmanager
def away(database: Path | PostgresURL) -> Iterator[None]:
    """While the database can't be found; those who use it notice."""
    if isinstance(database, Path):
        moved = database.rename(database.with_name("moved"))
        try:
            yield
        finally:
            moved.rename(database)
        return
    psycopg = pytest.importorskip("psycopg")
    address, _, name = database.secret.reveal().rpartition("/")
    with (
        pytest.MonkeyPatch.context() as patch,
        psycopg.connect(f"{address}/postgres", autocommit=True) as server,
    ):
        for module in ("store", "writer"):  # it does not come back for waiting
            patch.setattr(f"quatrain.server.store.postgres.{module}.PATIENCE", 0.0)
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        server.execute(f"ALTER DATABASE {name} RENAME TO {name}_moved")
        try:
            yield
        finally:
            server.execute(f"ALTER DATABASE {name}_moved RENAME TO {name}")
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def audited(
    ledger: Ledger,
    realm: int,
    limit: int = 1_000,
    between: Callable[[], object] = lambda: None,
) -> list[str]:
    """What the check of the audit trail finds in all of the realm, as (rule: message).

    *between* is called after each page.
    """
    check, found = TrailCheck(), []
    after: Place | None = Place(0, 0)
    while after is not None:
        page = await ledger.trail(realm, limit=limit, after=after)
        for item in page.items:
            found += check.look(CAMEL_CASE.structure(render.trail(item), EffectTrail))
        between()
        after = page.next
    return [f"{finding.rule}: {finding.message}" for finding in [*found, *check.end()]]


def sqlite_lock_is_held(database: Path) -> bool:
    """Whether any other process than a new one has the database in use, as SQLite sees it.

    The bytes are those by which SQLite tells ("SHARED_FIRST" in its os_unix.c). While nobody holds
    them, a process that closes the database believes itself the last and removes its log.
    """
    attempt = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+b'); "
        "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)"
    )
    command = [sys.executable, "-c", attempt, str(database)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.stderr == "" or "BlockingIOError" in process.stderr
    return process.returncode != 0


def encoded(text: str, safe: str = "") -> str:
    """*text* as part of a path that no client would tidy up: dots are encoded, too."""
    return quote(text, safe=safe).replace(".", "%2E")


class Client:
    """Speaks the ledger's wire with a key, and shows whole answers."""

    def __init__(self, http: httpx.AsyncClient, secret: Secret, keys: KeyRing) -> None:
        self.http = http
        self.keys = keys
        self._secret = secret

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._secret.reveal()}"}

    async def post(self, path: str, **body: Any) -> httpx.Response:
        """POST a JSON body below the base."""
        return await self.http.post(path, json=body, headers=self.headers)

    async def send(self, path: str, content: Any, **headers: str) -> httpx.Response:
        """POST raw bytes, or chunks of them."""
        return await self.http.post(path, content=content, headers={**self.headers, **headers})

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """GET with a query string."""
        return await self.http.get(path, params=query, headers=self.headers)

    async def lease(self, effect_key: str = "k", **body: Any) -> dict[str, Any]:
        """A lease in the namespace "ns": the tokens that the holder's requests carry."""
        response = await self.post("/effects/ns/lease", effectKey=effect_key, **body)
        assert response.status_code == 200, response.text
        answer = response.json()
        return {
            "effectKey": effect_key,
            "fenceToken": answer["fenceToken"],
            "leaseToken": answer["leaseToken"],
        }
