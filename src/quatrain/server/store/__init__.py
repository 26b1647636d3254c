"""Where the platform keeps its data.

One idea a module: ``connection`` what operations see, ``queries`` the SQL by name, ``migrations``
the schema, ``base`` what stores have in common, ``writer`` group commit, ``readers`` reads,
``gate`` forks; ``sqlite``, ``sqlite_writer`` and ``files`` the store on a file.
"""

from __future__ import annotations

from .base import Store, wall_clock_ms
from .connection import Connection, Rows, side_by_side
from .errors import StoreUnavailableError
from .sqlite import SqliteStore

__all__ = [
    "Connection",
    "Rows",
    "SqliteStore",
    "Store",
    "StoreUnavailableError",
    "side_by_side",
    "wall_clock_ms",
]
