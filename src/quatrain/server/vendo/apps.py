"""Apps: what uses connections. Each belongs to a tenant, and has keys of its own."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.names import checked
from quatrain.server.store import Connection, Store, queries

_SQL: Final = queries.load("vendo_apps")
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")


@attrs.frozen
class App:
    """An app."""

    id: int
    slug: str
    name: str
    created_at: int
    """Milliseconds since 1970."""


class Apps:
    """Makes and lists the apps of a tenant; blocking, from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ensure(self, tenant: str, slug: str, *, name: str | None = None) -> App:
        """The tenant's app *slug*, made if need be; a *name* that is given renames it.

        Raises InputError for names that can't be meant.
        """
        params = {
            "tenant": checked(tenant, "a tenant"),
            "slug": checked_slug(slug),
            "name": None if name is None else checked(name, "an app's name"),
        }
        return self._store.write_blocking(ensure, params)

    def find(self, tenant: str, slug: str) -> App | None:
        """The tenant's app *slug*; None when there is none."""
        return self._store.read_blocking(find, {"tenant": tenant, "slug": slug})

    def list(self, tenant: str) -> list[App]:
        """Every app of the tenant, oldest first."""
        return self._store.read_blocking(_list, tenant)


def checked_slug(slug: str) -> str:
    """An app's slug; raises InputError for what is none."""
    if not _SLUG.fullmatch(slug):
        raise InputError(
            "an app's slug is 1 to 100 lower-case letters, digits and inner hyphens,"
            f" not {slug[:50]!r}"
        )
    return slug


# -- operations of the store ----------------------------------------------------------------------


def ensure(connection: Connection, now: int, params: dict[str, Any]) -> App:
    """*params*: tenant, slug, name (None keeps the one it has, or takes the slug)."""
    row = {**params, "new_name": params["name"] or params["slug"], "now": now}
    return App(*connection.execute(_SQL["ensure_app"], row).fetchone())


def find(connection: Connection, _now: int, params: dict[str, Any]) -> App | None:
    """*params*: tenant, slug."""
    row = connection.execute(_SQL["find_app"], params).fetchone()
    return None if row is None else App(*row)


def _list(connection: Connection, _now: int, tenant: str) -> list[App]:
    return [App(*row) for row in connection.execute(_SQL["list_apps"], {"tenant": tenant})]
