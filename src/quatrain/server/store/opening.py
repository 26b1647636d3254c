"""The store that goes with a database's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from quatrain.errors import ConfigError

from .base import Store
from .postgres.url import PostgresURL
from .sqlite.store import SqliteStore


def store_on(
    database: str | os.PathLike[str] | PostgresURL,
    *,
    now_ms: Callable[[], int] | None = None,
    **options: Any,
) -> Store:
    """A store on a file, or on a PostgreSQL database; not yet open.

    *now_ms* replaces the clock, which is the database's. Raises ConfigError when the driver for
    PostgreSQL is not installed.
    """
    if now_ms is not None:
        options["now_ms"] = now_ms
    if isinstance(database, str) and PostgresURL.is_one(database):
        database = PostgresURL.of(database)
    if not isinstance(database, PostgresURL):
        return SqliteStore(database, **options)
    try:
        from .postgres.store import PostgresStore  # noqa: PLC0415  it is an extra
    except ImportError as exc:
        raise ConfigError(
            "for PostgreSQL its driver is missing: pip install 'quatrain[postgres]'"
        ) from exc
    return PostgresStore(database, **options)
