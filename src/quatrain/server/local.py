"""The local platform inside this process, without a socket: what ``Client.local`` talks to."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from os import PathLike
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import httpx
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.models.velocity import EventType

from .app import create_app
from .keys import KeyRing, Mode
from .lent import Lent
from .portal import AsyncPortalTransport, Portal, PortalTransport
from .settings import Settings
from .store import PostgresURL, StoreUnavailableError
from .velerian.runner import Runner, echo
from .velocity.seeding import SLUG
from .vendo.actions import Action, Run

__all__ = ["LocalPlatform"]

#: Not a place on the network: only this platform's own transports lead there.
ORIGIN: Final = "http://localhost"


class LocalPlatform:
    """A platform on one SQLite file, for the clients of this process.

    It starts with the first request, in a daemon thread, and again in a process that is forked
    from this one. Other processes, and other platforms of this process, may share the file.

    ``api_key`` opens the effect ledger's test data, or its *live* data, of one *tenant*, and
    ``velocity_key`` all of the tenant's data in Velocity OS, ``velerian_key`` all of it in
    Velerian; ``vendo_key`` is one of the tenant's app "local" in Vendo. They live in this process's
    memory only: the database neither stores nor lists them, and nothing is left to revoke.
    ``webhook_secret`` signs the webhooks of ``add_webhook``. What is connected in Vendo is sealed
    with the key in the environment's QUATRAIN_SECRET_KEY, or in the file ``<database>.key``, which
    is made when it is first needed. The *database* may be one of PostgreSQL's, too:
    ``postgresql://…``.

    A new database is filled with *seed*, a made-up business of the tenant "local", or nothing.
    Without *background*, webhooks and runs that wait in the database are left to other platforms on
    it. What a model says to Velerian's ABPs and networks comes from *velerian_runner*: a callable,
    plain or a coroutine function, or its name as ``module:function``. *vendo_actions* are what
    Vendo's data proxy can do besides what is built in: a mapping of ids to callables, or its name
    as ``module:object``.

    Raises ConfigError for a *database*, a runner or actions that can't be used; whether a database
    can be opened is found out on first use, which then raises ConfigError, too.
    """

    def __init__(
        self,
        database: str | PathLike[str] | PostgresURL,
        *,
        lent: Lent | None = None,
        live: bool = False,
        tenant: str = "local",
        seed: Literal["demo"] | None = "demo",
        background: bool = True,
        velerian_runner: str | Runner = echo,
        vendo_actions: str | Mapping[str, Action | Run] | None = None,
    ) -> None:
        self._settings = Settings(
            database=database,
            seed=seed,
            background=background,
            velerian_runner=velerian_runner,
            vendo_actions=vendo_actions or {},
        )
        self._mode = Mode.LIVE if live else Mode.TEST
        self._tenant = tenant
        lent = lent or Lent.new(self._mode)
        self.api_key = lent.api_key
        self.velocity_key = lent.velocity_key
        self.velerian_key = lent.velerian_key
        self.vendo_key = lent.vendo_key
        self.webhook_secret = lent.webhook_secret
        self.portal = Portal(self._make_app, name="quatrain-local")
        self._app: Starlette | None = None

    @property
    def verity_url(self) -> str:
        """The base URL of the effect ledger, for a client that uses this platform's transport."""
        return f"{ORIGIN}/v1"

    @property
    def velocity_url(self) -> str:
        """The origin of Velocity OS, for a client that uses this platform's transport."""
        return ORIGIN

    @property
    def velerian_url(self) -> str:
        """The origin of Velerian, for a client that uses this platform's transport."""
        return ORIGIN

    @property
    def vendo_url(self) -> str:
        """The origin of Vendo, for a client that uses this platform's transport."""
        return ORIGIN

    @property
    def vendo_credentials_url(self) -> str:
        """Vendo's credentials host, for a client that uses this platform's transport."""
        return f"{ORIGIN}/credentials"

    @property
    def vendo_data_proxy_url(self) -> str:
        """Vendo's data proxy, for a client that uses this platform's transport."""
        return f"{ORIGIN}/composio"

    @property
    def manage_url(self) -> str:
        """The base URL of the management API, for a client that uses this platform's transport."""
        return f"{ORIGIN}/manage/v1"

    @property
    def keys(self) -> KeyRing:
        """The platform's key ring, to make and revoke further keys; starts the platform."""
        self.portal.open()
        assert self._app is not None  # noqa: S101  made by the portal before it is open
        keys: KeyRing = self._app.state.keys
        return keys

    def add_webhook(self, url: str, *, events: Collection[EventType] | None = None) -> Secret:
        """Have the webhooks of the tenant's business sent to *url*, all or some *events* of them.

        They are those that an extension with every scope gets, and are signed with
        ``webhook_secret``, which is answered. The endpoint stays in the database; one that is there
        with this URL is taken over, with what waits for it. Starts the platform. Raises InputError
        for a URL or events that can't be taken, StoreUnavailableError when the database can't be
        used.
        """
        body = {
            "url": url,
            "events": None if events is None else sorted(events),
            "extension": SLUG,
            "secret": self.webhook_secret.reveal(),
            "replace": True,
        }
        with self.http_client() as client:
            # the extension is there from the first use of its key on
            who = client.get(f"{ORIGIN}/api/v1/extensions/whoami", headers=_as(self.velocity_key))
            if not who.is_success:
                raise StoreUnavailableError(who.json()["error"]["message"])
        self._manage("webhooks", body)
        return self.webhook_secret

    def connect(self, slug: str, *, key: str | Secret | None = None) -> str:
        """Connect the integration *slug* in Vendo, as a person does on the connect page.

        With the *key* that a person would paste; None has the simulated provider grant one. The app
        "local" may use it, and is told: ``connection.connected``. Answers the connection's id.
        Starts the platform. Raises InputError for a slug or a key that can't be,
        StoreUnavailableError when the database can't be used.
        """
        key = None if key is None else Secret(key)  # rebound: no frame's locals show it
        body = {"slug": slug, "key": None if key is None else key.reveal()}
        connection_id: str = self._manage("vendo/connections", body)["connection_id"]
        return connection_id

    def disconnect(self, connection_id: str) -> None:
        """End a connection in Vendo: ``connection.disconnected``. Raises as ``connect`` does."""
        self._manage(f"vendo/connections/{quote(connection_id, safe='')}/disconnect", {})

    def expire_token(self, connection_id: str) -> None:
        """Let a token that was granted be over: whoever next asks for it gets another.

        Raises as ``connect`` does, also for a connection whose key was pasted.
        """
        self._manage(f"vendo/connections/{quote(connection_id, safe='')}/expire-token", {})

    def _manage(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post to the management API. Raises InputError, StoreUnavailableError."""
        with self.http_client() as client:
            answer = client.post(f"{self.manage_url}/{path}", json=body, headers=_as(self.api_key))
        content: dict[str, Any] = answer.json()
        if not answer.is_success:
            mistaken = 400 <= answer.status_code < 500
            raise (InputError if mistaken else StoreUnavailableError)(content["message"])
        return content

    def end_streams(self) -> None:
        """End the streams of events, which go on for ever else; on the platform's event loop."""
        if self._app is not None:
            self._app.state.vendo.streams.close()

    def transport(self) -> PortalTransport:
        """A transport for an `httpx.Client`."""
        return self.portal.transport()

    def async_transport(self) -> AsyncPortalTransport:
        """A transport for an `httpx.AsyncClient`, on asyncio or trio."""
        return self.portal.async_transport()

    def http_client(self) -> httpx.Client:
        """A sync HTTP client that reaches the platform and nothing else; need not be closed."""
        return httpx.Client(transport=self.transport(), trust_env=False)

    def async_http_client(self) -> httpx.AsyncClient:
        """An async HTTP client that reaches the platform and nothing else; need not be closed."""
        return httpx.AsyncClient(transport=self.async_transport(), trust_env=False)

    def close(self) -> None:
        """Stop; what was answered is on the disk. Requests under way end with ReadError.

        Blocks for some milliseconds, and for up to 5 seconds each while webhooks and runs are under
        way. Twice is fine.
        """
        self.portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # a refused database leaves one that has no portal
        portal: Portal | None = getattr(self, "portal", None)
        if portal is not None and portal.abandon():
            warnings.warn(
                f"unclosed local platform on {str(self._settings.database)!r}:"
                " use its client's `with` block, or close it",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def _make_app(self) -> Starlette:
        self._app = create_app(self._settings)
        self._app.state.keys.lend(self.api_key, mode=self._mode, tenant=self._tenant)
        self._app.state.installs.lend(self.velocity_key, tenant=self._tenant)
        self._app.state.velerian.keys.lend(self.velerian_key, tenant=self._tenant)
        self._app.state.vendo.keys.lend(self.vendo_key, tenant=self._tenant)
        return self._app


def _as(key: Secret) -> dict[str, str]:
    return {"authorization": f"Bearer {key.reveal()}"}
