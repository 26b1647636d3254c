"""Where the platform keeps its data.

One idea a module: ``connection`` what operations see, ``queries`` the SQL by name, ``migrations``
the schema, ``base`` what stores have in common, ``writer`` group commit, ``readers`` reads,
``gate`` forks, ``opening`` the store that goes with a name; ``sqlite``, ``sqlite_writer`` and
``files`` the store on a file; ``postgres`` and the modules named after it the one on PostgreSQL.
"""

from __future__ import annotations

from .base import Store, wall_clock_ms
from .connection import (
    Connection,
    Operation,
    Rows,
    SwiftConnection,
    alone,
    in_one,
    side_by_side,
    together,
)
from .errors import StoreUnavailableError
from .opening import store_on
from .postgres_url import PostgresURL
from .sqlite import SqliteStore

__all__ = [
    "Connection",
    "Operation",
    "PostgresURL",
    "Rows",
    "SqliteStore",
    "Store",
    "StoreUnavailableError",
    "SwiftConnection",
    "alone",
    "in_one",
    "side_by_side",
    "store_on",
    "together",
    "wall_clock_ms",
]
