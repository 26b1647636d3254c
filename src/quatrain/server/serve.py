"""Serving the local platform over HTTP, until told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from quatrain.errors import ConfigError

from .app import create_app
from .protocol import Protocol
from .settings import Settings
from .store import DatabaseAwayError, Store
from .store.patience import Patience
from .velocity import seed_once

KEEP_ALIVE: Final = 75
"""Seconds. Clients keep idle connections for less, so it is never the server that hangs up on a
request just sent."""
_GRACE: Final = 30
"""Seconds for the requests under way when told to stop."""
_LOOK_EVERY: Final = 0.1
"""Seconds, while it stops."""

_log: Final = logging.getLogger("quatrain.server")


def run(
    settings: Settings, *, on_ready: Callable[[str], None] | None = None, wait: float = 0.0
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished, the store is closed.

    *on_ready* gets the URL once requests are answered. A database that is away is waited for up to
    *wait* seconds, while nobody can connect. Raises ConfigError for an address or a database that
    can't be used. From another thread than the main one, no signals are handled.
    """
    app = create_app(settings)
    listener = _reserve(settings.host, settings.port)
    try:
        _open(app.state.store, wait)
        # the lifespan would do it, too, but only log what goes wrong
        asyncio.run(seed_once(app.state.store, settings.seed))
        _listen(listener)
        server = Server(
            app, on_ready=on_ready, on_stop=app.state.vendo.streams.close, url=url_of(listener)
        )
        server.run(sockets=[listener])
    finally:
        app.state.store.close()
        listener.close()


def _open(store: Store, wait: float) -> None:
    patience = Patience(wait)
    told = False
    while True:
        try:
            store.open()
        except DatabaseAwayError as exc:
            if not told and wait:
                _log.warning("waiting up to %g seconds, as %s", wait, exc)
                told = True
            if not patience.wait():
                raise
        else:
            return


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises ConfigError."""
    listener = _reserve(host, port)
    _listen(listener)
    return listener


def _reserve(host: str, port: int) -> socket.socket:
    """A socket with that address, which nobody can connect to yet; raises ConfigError."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # asyncio turns Nagle's algorithm off only where it sees this protocol number; with it on,
        # a request over a kept connection can wait 40 ms
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as exc:
        raise ConfigError(f"host {host!r} can't be listened on: {exc}") from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        listener.close()
        raise ConfigError(f"{host}:{port} can't be listened on: {exc.strerror}") from exc
    return listener


def _listen(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(2048)
    except OSError as exc:  # another one that had reserved it was sooner
        listener.close()
        raise ConfigError(f"{host}:{port} can't be listened on: {exc.strerror}") from exc


def url_of(listener: socket.socket) -> str:
    """``http://127.0.0.1:8787``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class StoppingServer(uvicorn.Server):
    """uvicorn, that ends what would go on for ever when it stops.

    It waits for the requests under way: *on_stop* has those end that never would.
    """

    def __init__(self, config: uvicorn.Config, *, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests under way, and stop."""
        self._on_stop()
        cutting = asyncio.ensure_future(self._cut_off())
        try:
            await super().shutdown(sockets=sockets)
        finally:
            cutting.cancel()
            await asyncio.gather(cutting, return_exceptions=True)

    async def _cut_off(self) -> None:
        """Drop connections whose answer was broken off, and whose client does not take the rest."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            connection: Any
            for connection in list(self.server_state.connections):
                cycle = connection.cycle
                broken = cycle is not None and not cycle.response_complete
                if broken and connection.transport.is_closing():
                    connection.transport.abort()


class Server(StoppingServer):
    """uvicorn, set up for this platform, that says when it is ready."""

    def __init__(
        self,
        app: Any,
        *,
        url: str,
        on_ready: Callable[[str], None] | None = None,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Protocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            ),
            on_stop=on_stop,
        )
        self._url = url
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, then say so."""
        await super().startup(sockets=sockets)
        if self.started and self._on_ready is not None:
            self._on_ready(self._url)
