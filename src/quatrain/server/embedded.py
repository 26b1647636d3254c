"""The local platform in a thread of this process, on a loopback port: for any program to use."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import threading
import weakref
from collections.abc import Collection, Mapping
from os import PathLike
from types import TracebackType
from typing import Final, Literal, Self

import attrs
import uvicorn

from quatrain._secret import Secret
from quatrain.errors import ConfigError
from quatrain.models.velocity import EventType

from .appthread import AppThread
from .keys import KeyRing
from .lent import Lent
from .local import LocalPlatform
from .protocol import Protocol
from .serve import KEEP_ALIVE, StoppingServer, bind, url_of
from .settings import Settings
from .velerian.runner import Runner, echo
from .vendo.actions import Action, Run

__all__ = ["EmbeddedPlatform"]

HOST: Final = "127.0.0.1"
GRACE: Final = 5
"""Seconds for the requests under way when the platform stops."""


class EmbeddedPlatform:
    """A platform on one SQLite file, served over HTTP to any process of this machine.

    ::

        with EmbeddedPlatform("quatrain.db") as platform:
            subprocess.run(["./worker"], env=os.environ | platform.env)

    It takes a free port of 127.0.0.1, and the same one when it is stopped and started again.
    Several platforms, of this process or of others, may share the file. A process forked from
    this one gets a platform of its own, on another port, when it first asks for ``url`` or
    ``env``; the parent's goes on untouched.

    ``api_key`` opens the effect ledger's test data of the tenant "local", ``velocity_key`` all of
    its data in Velocity OS, ``velerian_key`` all of it in Velerian, and ``vendo_key`` is one of the
    tenant's app "local" in Vendo. They live in this process's memory only: the database neither
    stores nor lists them, and they end with this object.
    ``webhook_secret`` signs the webhooks of ``add_webhook``. What is connected in Vendo is sealed
    with the key in the environment's QUATRAIN_SECRET_KEY, or in the file ``<database>.key``, which
    is made when it is first needed.

    A new database is filled with *seed*, a made-up business of that tenant, or nothing. What a
    model says to Velerian's ABPs and networks comes from *velerian_runner*: a callable, plain or a
    coroutine function, or its name as ``module:function``. *vendo_actions* are what Vendo's data
    proxy can do besides what is built in: a mapping of ids to callables, or its name as
    ``module:object``.

    Raises ConfigError for a *database*, a runner or actions that can't be used.
    """

    def __init__(
        self,
        database: str | PathLike[str],
        *,
        seed: Literal["demo"] | None = "demo",
        velerian_runner: str | Runner = echo,
        vendo_actions: str | Mapping[str, Action | Run] | None = None,
    ) -> None:
        self.database = database
        self.seed: Literal["demo"] | None = seed
        self._runner = velerian_runner
        self._actions = vendo_actions or {}
        self._lent = lent = Lent.new()
        self.api_key: Secret = lent.api_key
        self.velocity_key: Secret = lent.velocity_key
        self.velerian_key: Secret = lent.velerian_key
        self.vendo_key: Secret = lent.vendo_key
        self.webhook_secret: Secret = lent.webhook_secret
        self._lock = threading.RLock()
        self._wanted = False
        self._port = 0
        self._serving: _Serving | None = None
        # raises for what is no database, or no runner, at all
        LocalPlatform(
            database, seed=seed, velerian_runner=velerian_runner, vendo_actions=self._actions
        )
        _platforms.add(self)

    def start(self) -> Self:
        """Serve. Raises ConfigError when the database or the port can't be used."""
        with self._lock:
            self._wanted = True
            try:
                self._running()
            except BaseException:
                self._wanted = False
                raise
        return self

    def stop(self) -> None:
        """Finish the requests under way (5 seconds at most) and stop. Twice is fine."""
        with self._lock:
            self._wanted = False
            serving, self._serving = self._serving, None
            if serving is not None:
                serving.stop()

    @property
    def url(self) -> str:
        """Where it is: ``http://127.0.0.1:<port>``. Raises ConfigError before ``start``."""
        return self._running().url

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that lead quatrain, its commands and the vendors' own SDKs here.

        They hold the four keys and ``webhook_secret`` in plain text.
        """
        return {
            "QUATRAIN_URL": self.url,
            "QUATRAIN_API_KEY": self.api_key.reveal(),
            "VERITY_BASE_URL": f"{self.url}/v1",
            "VERITY_API_KEY": self.api_key.reveal(),
            "VOS_BASE_URL": self.url,
            "VOS_EXT_KEY": self.velocity_key.reveal(),
            "VOS_WEBHOOK_SECRET": self.webhook_secret.reveal(),
            "VELERIAN_BASE_URL": self.url,
            "VELERIAN_API_KEY": self.velerian_key.reveal(),
            "VENDO_BASE_URL": self.url,
            "VENDO_CREDENTIALS_URL": f"{self.url}/credentials",
            "VENDO_DATA_PROXY_URL": f"{self.url}/composio",
            "VENDO_API_KEY": self.vendo_key.reveal(),
        }

    @property
    def keys(self) -> KeyRing:
        """The key ring, to make and revoke further keys: these are stored in the database."""
        return self._running().local.keys

    def add_webhook(self, url: str, *, events: Collection[EventType] | None = None) -> Secret:
        """Have the webhooks of the tenant's business sent to *url*, all or some *events* of them.

        They are those that an extension with every scope gets, and are signed with
        ``webhook_secret``, which is answered. The endpoint stays in the database; one
        that is there with this URL is taken over, with what waits for it. Raises InputError
        for a URL or events that can't be taken, StoreUnavailableError when the database can't be
        used, ConfigError before ``start``.
        """
        return self._running().local.add_webhook(url, events=events)

    def connect(self, slug: str, *, key: str | Secret | None = None) -> str:
        """Connect the integration *slug* in Vendo, as a person does on the connect page.

        With the *key* that a person would paste; None has the simulated provider grant one. The app
        "local" may use it, and is told: ``connection.connected``. Answers the connection's id.
        Raises InputError for a slug or a key that can't be, StoreUnavailableError when the database
        can't be used, ConfigError before ``start``.
        """
        return self._running().local.connect(slug, key=key)

    def disconnect(self, connection_id: str) -> None:
        """End a connection in Vendo: ``connection.disconnected``. Raises as ``connect`` does."""
        self._running().local.disconnect(connection_id)

    def expire_token(self, connection_id: str) -> None:
        """Let a token that was granted be over: whoever next asks for it gets another.

        Raises as ``connect`` does, also for a connection whose key was pasted.
        """
        self._running().local.expire_token(connection_id)

    def _running(self) -> _Serving:
        with self._lock:
            if not self._wanted:
                raise ConfigError("the embedded platform is not started")
            if self._serving is None:
                local = LocalPlatform(
                    self.database,
                    lent=self._lent,
                    seed=self.seed,
                    velerian_runner=self._runner,
                    vendo_actions=self._actions,
                )
                self._serving = _Serving.start(local, self._port)
                self._port = self._serving.port
            return self._serving

    def _forget(self) -> None:
        # The parent's thread does not exist here, its lock may have been held, its port is taken.
        self._lock = threading.RLock()
        self._port = 0
        if self._serving is not None:
            _inherited.append(self._serving)
            # or clients would go on connecting to it after the parent has stopped
            self._serving.listener.close()
            self._serving = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = f" on {self._serving.url}" if self._serving is not None else ""
        # an address of PostgreSQL's has a password
        name = str(Settings(database=self.database).database)
        return f"<EmbeddedPlatform {name!r}{where}>"


_platforms: weakref.WeakSet[EmbeddedPlatform] = weakref.WeakSet()

#: What a forked process got from its parent. Kept for good: collecting it would close connections
#: that are the parent's.
_inherited: list[_Serving] = []


def _after_fork() -> None:
    for platform in list(_platforms):
        platform._forget()  # noqa: SLF001  the same module


os.register_at_fork(after_in_child=_after_fork)


@attrs.frozen
class _Serving:
    """One run of an embedded platform."""

    local: LocalPlatform
    listener: socket.socket
    server: uvicorn.Server
    done: concurrent.futures.Future[None]
    url: str
    port: int

    @classmethod
    def start(cls, local: LocalPlatform, port: int) -> Self:
        """Raises ConfigError. Requests are waited for by the time this returns."""
        app = local.portal.open()
        try:
            listener = bind(HOST, port)
        except ConfigError:
            local.close()
            raise
        server = StoppingServer(_server_config(app), on_stop=local.end_streams)
        done = app.run(server.serve(sockets=[listener]))
        # whatever ends the server: better a refused connection than one that is never accepted
        done.add_done_callback(lambda _: listener.close())
        return cls(local, listener, server, done, url_of(listener), listener.getsockname()[1])

    def stop(self) -> None:
        self.server.should_exit = True
        concurrent.futures.wait([self.done])
        self.local.close()


class _Config(uvicorn.Config):
    def configure_logging(self) -> None:
        """Leave logging alone: it belongs to the process, which may run a uvicorn of its own."""


def _server_config(app: AppThread) -> _Config:
    return _Config(
        app,
        interface="asgi3",
        http=Protocol,
        ws="none",
        lifespan="off",  # the portal's
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
