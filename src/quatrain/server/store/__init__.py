"""Where the platform keeps its data.

One idea a module: ``connection`` what operations see, ``queries`` the SQL by name, ``migrations``
the schema, ``base`` what stores have in common, ``writer`` group commit, ``readers`` reads,
``gate`` forks, ``opening`` the store that goes with a name; ``sqlite``, ``sqlite_writer`` and
``files`` the store on a file; ``postgres`` and the modules named after it the one on PostgreSQL;
``copying``, with ``copy_source`` and ``copy_target``, the way from one to the other, and ``moved``
the mark that it leaves.
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
from .postgres_url import PostgresURL
from .sqlite import SqliteStore

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
