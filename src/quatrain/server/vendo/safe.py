"""The ring that a database's tokens are sealed with, looked for when one is first needed."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from quatrain.errors import ConfigError
from quatrain.server.store import Connection, Store, queries

from .records import UnavailableError
from .sealing import Ring, foreign, name_of
from .secretkey import KeySource

_log: Final = logging.getLogger("quatrain.server")
_SQL: Final = queries.load("vendo_connections")


class Safe:
    """Hands out the ring, once it fits the database."""

    def __init__(self, store: Store, source: KeySource) -> None:
        self._store = store
        self._source = source
        self._ring: Ring | None = None
        self._warned = ""

    async def ring(self) -> Ring:
        """The platform's secret keys, of which a first one is made if need be.

        Raises UnavailableError when there is none that can be used, or none that what lies in the
        database was sealed with. Nothing is then written, and it is tried again the next time.
        """
        if self._ring is None:
            try:
                self._ring = await asyncio.to_thread(self._load)
            except UnavailableError as exc:
                self._warn(str(exc))
                raise
        return self._ring

    def _warn(self, why: str) -> None:
        # whoever runs the platform can mend it, and need not read it with every request
        if why != self._warned:
            self._warned = why
            _log.warning("Vendo's tokens can't be used: %s", why)

    def _load(self) -> Ring:
        sealed = self._store.read_blocking(_newest, None)
        try:
            # a new key would open nothing of what is there: then the right one is missing
            ring = self._source.load(may_create=sealed is None)
        except ConfigError as exc:
            text = str(exc)
            if sealed is not None:
                text += f"; the database's tokens were sealed with the secret key {name_of(sealed)}"
            raise UnavailableError(text) from exc
        if sealed is not None and not ring.knows(sealed):
            raise UnavailableError(foreign(sealed, ring))
        return ring


def _newest(connection: Connection, _now: int, _: None) -> bytes | None:
    row = connection.execute(_SQL["newest_token"]).fetchone()
    return None if row is None else bytes(row[0])
