"""The demo's governed processes and networks: what ``seed.yaml`` says, written once."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib import resources
from typing import Any, Final

from quatrain.errors import ConfigError
from quatrain.server.store import Connection, Store, StoreUnavailableError, queries

from . import abps, networks
from .policy import Policy

TENANT: Final = "local"

_FACTS: Final = queries.load("velocity")
_SQL: Final = queries.load("velerian_abps")
_FACT: Final = "velerian.seed"


async def seed_once(store: Store) -> None:
    """Fill a database that has the demo's seed, once; raises ConfigError.

    What a database is filled with has been decided by now. One of a time before Velerian gets its
    part, and one that was to stay empty does.
    """
    try:
        if await store.read(_is_due, None):
            # read here: a write is no place to wait for a file
            await store.write(_fill_once, await asyncio.to_thread(demo))
    except StoreUnavailableError as exc:
        raise ConfigError(f"the database can't be used: {exc}") from exc


def fill(connection: Connection, now: int, tenant: str, document: dict[str, Any]) -> None:
    """Write what the tenant does not have yet, within the caller's transaction."""
    for abp in document["abps"]:
        row = abps.row_of(tenant, **abp)
        connection.execute(_SQL["add_abp"], {**row, "now": now}).fetchall()
    for network in document["networks"]:
        Policy.parse(network["policy"])
        networks.add_network(connection, now, {**network, "tenant": tenant})


@cache
def demo() -> dict[str, Any]:
    """What ``seed.yaml`` says."""
    # late: only who fills a database reads YAML
    import yaml  # noqa: PLC0415

    text = (resources.files("quatrain.server.velerian") / "seed.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _is_due(connection: Connection, _now: int, _: None) -> bool:
    decided = connection.execute(_FACTS["fact"], {"name": "seed"}).fetchone()
    done = connection.execute(_FACTS["fact"], {"name": _FACT}).fetchone()
    return done is None and decided == ("demo",)


def _fill_once(connection: Connection, now: int, document: dict[str, Any]) -> None:
    # decided again inside: another process may have been quicker
    if connection.execute(_FACTS["add_fact"], {"name": _FACT, "value": "demo"}).fetchone():
        fill(connection, now, TENANT, document)
