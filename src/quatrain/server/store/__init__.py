"""Where the platform keeps its data.

One idea a module: ``connection`` what operations see, ``queries`` the SQL by name, ``migrations``
the schema, ``base`` what stores have in common, ``writer`` group commit, ``readers`` reads,
``gate`` forks, ``opening`` the store that goes with a name; ``sqlite`` the store on a file,
``postgres`` the one on PostgreSQL, ``moving`` the way from one to the other.
"""

from __future__ import annotations

from .base import Store, wall_clock_ms
from .connection import (
    Connection,
    Operation,
    Rows,
    SwiftConnection,
    alone,
    in_index_order,
    in_one,
    side_by_side,
    together,
)
from .errors import DatabaseAwayError, StoreUnavailableError
from .opening import store_on
from .postgres.url import PostgresURL
from .sqlite.store import SqliteStore

__all__ = [
    "Connection",
    "DatabaseAwayError",
    "Operation",
    "PostgresURL",
    "Rows",
    "SqliteStore",
    "Store",
    "StoreUnavailableError",
    "SwiftConnection",
    "alone",
    "in_index_order",
    "in_one",
    "side_by_side",
    "store_on",
    "together",
    "wall_clock_ms",
]
