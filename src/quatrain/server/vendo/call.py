"""A request to Vendo that has been let in, and what it may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self
from urllib.parse import quote

import attrs

from quatrain.server.idempotency import InFlight, Once, fingerprint
from quatrain.server.store import Store

from .actions import Action
from .apps import Apps
from .broker import Connections
from .builtin import BUILT_IN
from .keys import AppKeys
from .proxy import DataProxy
from .publishing import Publisher
from .records import Caller
from .safe import Safe
from .secretkey import KeySource
from .stream import Streams
from .users import UserTokens
from .wallet import Wallets


@attrs.frozen
class Services:
    """What Vendo's local half is made of."""

    store: Store
    apps: Apps
    keys: AppKeys
    safe: Safe
    users: UserTokens
    connections: Connections
    in_flight: InFlight
    streams: Streams
    publisher: Publisher
    wallets: Wallets
    proxy: DataProxy
    wake: Callable[[], None]
    """To be called after a write that may have told of something: streams then look at once."""

    @classmethod
    def of(
        cls,
        store: Store,
        source: KeySource,
        *,
        actions: Mapping[str, Action] | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> Self:
        """Over a store, whose tokens are sealed with the key that *source* has.

        *actions* are there beside the built-in ones, or in place of some. *wake* tells whoever
        delivers webhooks that there may be some.
        """
        safe = Safe(store, source)
        streams = Streams(store)
        in_flight = InFlight()

        def wake_all() -> None:
            wake()
            streams.wake()

        return cls(
            store,
            Apps(store),
            AppKeys(store),
            safe,
            UserTokens(store, safe),
            Connections(store, safe, wake=streams.wake),
            in_flight,
            streams,
            Publisher(store, wake=streams.wake),
            Wallets(store, wake=streams.wake),
            DataProxy(store, {**BUILT_IN, **(actions or {})}, in_flight, wake=wake_all),
            wake_all,
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
    last_event_id: bytes | None
    """Its ``Last-Event-ID``."""
    admit_again: Callable[[], Awaitable[Caller]] = attrs.field(repr=False)
    """Lets it in anew, or raises a RefusedError: for an answer that takes long."""

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
