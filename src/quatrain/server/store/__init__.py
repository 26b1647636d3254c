"""Where the platform keeps its data.

One idea a module: ``files`` the database file, ``migrations`` its schema, ``queries`` the SQL by
name, ``writer`` group commit, ``readers`` reads, ``gate`` forks, ``sqlite`` the store they make.
"""

from __future__ import annotations

from .errors import StoreUnavailableError
from .sqlite import SqliteStore, wall_clock_ms

__all__ = ["SqliteStore", "StoreUnavailableError", "wall_clock_ms"]
