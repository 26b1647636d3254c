"""A request to Vendo that has been let in, and what it may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote

import attrs

from quatrain.server.idempotency import InFlight, Once, fingerprint
from quatrain.server.store import SqliteStore

from .apps import Apps
from .broker import Connections
from .keys import AppKeys
from .records import Caller
from .safe import Safe
from .secretkey import KeySource
from .users import UserTokens


@attrs.frozen
class Services:
    """What Vendo's local half is made of."""

    store: SqliteStore
    apps: Apps
    keys: AppKeys
    safe: Safe
    users: UserTokens
    connections: Connections
    in_flight: InFlight
    wake: Callable[[], None]
    """To be called after a write that may have told of something: streams then look at once."""

    @classmethod
    def of(
        cls, store: SqliteStore, source: KeySource, *, wake: Callable[[], None] = lambda: None
    ) -> Self:
        """Over a store, whose tokens are sealed with the key that *source* has."""
        safe = Safe(store, source)
        return cls(
            store,
            Apps(store),
            AppKeys(store),
            safe,
            UserTokens(store, safe),
            Connections(store, safe, wake=wake),
            InFlight(),
            wake,
        )


@attrs.frozen
class Call:
    """A request that has been let in."""

    services: Services
    caller: Caller
    path: dict[str, str]
    """The names that stand in its path."""
    key: str | None
    """Its ``Idempotency-Key``."""
    origin: str
    """Where it came to: ``http://127.0.0.1:8787``."""
    last_event_id: bytes | None = None
    """Its ``Last-Event-ID``."""

    @property
    def tenant(self) -> str:
        """Whose data."""
        return self.caller.tenant

    def claim(self, operation: str, body: Any) -> Once | None:
        """The request's claim to run once; None when it makes none.

        It is the app's, whichever of its keys is used, for the user that it acts for.
        """
        if self.key is None:
            return None
        who = self.caller
        caller = f"vendo:{who.app_id}:{who.connection_id or ''}:{who.user_id}"
        return Once(caller, self.key, fingerprint(operation, body))


def connect_page(origin: str, slug: str) -> str:
    """Where a person connects an integration; who sends them there adds the app's key to it."""
    return f"{origin}/connections/connect/{quote(slug, safe='')}"
