"""The ring that a database's tokens are sealed with, looked for when one is first needed."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Final

from quatrain.errors import ConfigError
from quatrain.server.store import SqliteStore, queries

from .records import UnavailableError
from .sealing import Ring, foreign
from .secretkey import KeySource

_SQL: Final = queries.load("vendo_connections")


class Safe:
    """Hands out the ring, once it fits the database."""

    def __init__(self, store: SqliteStore, source: KeySource) -> None:
        self._store = store
        self._source = source
        self._ring: Ring | None = None

    async def ring(self) -> Ring:
        """The platform's secret keys, of which a first one is made if need be.

        Raises UnavailableError when there is none that can be used, or none that what lies in the
        database was sealed with. Nothing is then written, and it is tried again the next time.
        """
        if self._ring is None:
            self._ring = await asyncio.to_thread(self._load)
        return self._ring

    def _load(self) -> Ring:
        sealed = self._store.read_blocking(_newest, None)
        try:
            # a new key would open nothing of what is there: then the right one is missing
            ring = self._source.load(may_create=sealed is None)
        except ConfigError as exc:
            raise UnavailableError(str(exc)) from exc
        if sealed is not None and not ring.knows(sealed):
            raise UnavailableError(foreign(sealed, ring))
        return ring


def _newest(connection: sqlite3.Connection, _now: int, _: None) -> bytes | None:
    row = connection.execute(_SQL["newest_token"]).fetchone()
    return None if row is None else bytes(row[0])
