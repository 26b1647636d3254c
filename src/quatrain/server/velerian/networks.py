"""Networks: what runs are asked of by a name, each with a model and a policy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server import jsontext
from quatrain.server.names import checked
from quatrain.server.problems import accepted
from quatrain.server.store import Connection, Store, queries

from .policy import Policy
from .records import ExistsError, NotThereError

DEFAULT_MODEL: Final = "echo"
"""Of a network that names none: what answers as long as no other runner is set up."""
MAX_SLUG: Final = 100

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
_SQL: Final = queries.load("velerian_runs")


@attrs.frozen
class Network:
    """A network of one tenant."""

    slug: str
    name: str
    model_id: str
    policy: dict[str, Any]
    """A document of ``policy.Policy``."""
    created_at: int
    """Milliseconds since 1970."""


class Networks:
    """Every tenant's networks. Raises StoreUnavailableError when the database can't be used."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, tenant: str) -> list[Network]:
        """All of a tenant's, oldest first."""
        return await self._store.read(list_networks, {"tenant": tenant})

    async def create(
        self,
        tenant: str,
        slug: str,
        *,
        name: str | None = None,
        model_id: str = DEFAULT_MODEL,
        policy: Mapping[str, Any] | None = None,
    ) -> Network:
        """A new one; without a *policy*, everything is allowed.

        Raises InputError for what can't be meant, ExistsError for a slug that is taken.
        """
        document = dict(policy or {})
        Policy.parse(document)
        params = {
            "tenant": checked(tenant, "a tenant"),
            "slug": checked_slug(slug),
            "name": checked(slug if name is None else name, "a network's name"),
            "model_id": checked(model_id, "a model's id"),
            "policy": document,
        }
        return accepted(await self._store.write(add_network, params))


def checked_slug(slug: str) -> str:
    """*slug*, when it can stand in a path as it is; raises InputError."""
    if len(slug) > MAX_SLUG or not _SLUG.fullmatch(slug):
        raise InputError(
            f"a network's slug is 1 to {MAX_SLUG} lower-case letters, digits, - and _,"
            f" not {slug[:50]!r}"
        )
    return slug


# -- operations of the store ----------------------------------------------------------------------


def add_network(connection: Connection, now: int, params: dict[str, Any]) -> Network | ExistsError:
    """Add a network whose policy can be read. *params*: tenant, slug, name, model_id, policy."""
    values = {**params, "policy": jsontext.dump(params["policy"]), "now": now}
    row = connection.execute(_SQL["add_network"], values).fetchone()
    if row is None:
        return ExistsError(f"there is a network {params['slug']!r} already")
    return _network(row)


def get_network(
    connection: Connection, _now: int, params: dict[str, Any]
) -> Network | NotThereError:
    """One network. *params*: tenant, slug."""
    row = connection.execute(_SQL["get_network"], params).fetchone()
    if row is None:
        return NotThereError(f"there is no network {params['slug'][:100]!r}")
    return _network(row)


def list_networks(connection: Connection, _now: int, params: dict[str, Any]) -> list[Network]:
    """All of a tenant's, oldest first. *params*: tenant."""
    return [_network(row) for row in connection.execute(_SQL["networks_of_tenant"], params)]


def _network(row: tuple[Any, ...]) -> Network:
    slug, name, model_id, policy, created_at = row
    return Network(slug, name, model_id, json.loads(policy), created_at)
