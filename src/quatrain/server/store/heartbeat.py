"""The smallest change there is: proof that the database takes changes."""

from __future__ import annotations

from typing import Final

from . import queries
from .connection import Connection, side_by_side

_BEAT: Final = queries.load("store")["beat"]


@side_by_side(lambda _: ())
def beat(connection: Connection, now: int, _: None) -> None:
    """An operation of the store."""
    connection.execute(_BEAT, {"now": now})
