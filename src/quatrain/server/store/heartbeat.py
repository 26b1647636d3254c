"""The smallest change there is: proof that the database takes changes."""

from __future__ import annotations

import sqlite3
from typing import Final

from . import queries

_BEAT: Final = queries.load("store")["beat"]


def beat(connection: sqlite3.Connection, now: int, _: None) -> None:
    """An operation of the store."""
    connection.execute(_BEAT, {"now": now})
