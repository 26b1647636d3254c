"""The local platform as one ASGI app: a sub-app a platform, over one store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from .asgi import App
from .explorer import Explorer
from .health import Health, Readiness
from .keys import KeyRing
from .manage import ManageAPI, Services
from .metrics import CountedLedger, MetricsEndpoint, PlatformMetrics
from .middleware import BodyLimit, HostCheck, Outermost
from .openapi.api import Served
from .problems import not_found
from .settings import Settings
from .store import store_on
from .velerian import seeding as velerian_seeding
from .velerian.api import VelerianAPI
from .velerian.call import Services as VelerianServices
from .velerian.endpoints import AGENTICX, V2
from .velerian.worker import RunWorker
from .velocity import BusinessData, Installs, VelocityAPI, seed_once
from .vendo import endpoints as vendo_endpoints
from .vendo.api import VendoAPI
from .vendo.call import Services as VendoServices
from .vendo.page import ConnectPage
from .vendo.proxy_api import ProxyAPI
from .vendo.secretkey import key_source
from .verity import VerityAPI
from .watching import Watcher
from .webhooks import Dispatcher

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")


def create_app(
    settings: Settings | None = None, *, now_ms: Callable[[], int] | None = None
) -> Starlette:
    """The app, not yet started: its lifespan opens the store, fills a new one, and closes it.

    ``app.state`` is for who embeds the platform: ``store``, ``keys``, ``installs`` (Velocity OS's
    keys), ``velocity`` (its business data), ``velerian`` and ``vendo`` (the services of those
    halves), and ``dispatcher`` (of webhooks) and ``run_worker``, which work in the background. To
    learn of an unusable database as a ConfigError, call ``app.state.store.open()`` first; the
    lifespan then finds it open. A server that is about to wait for the requests under way calls
    ``app.state.vendo.streams.close()`` first: streams of events go on for ever. ``now_ms``, in
    milliseconds since 1970, replaces the server's clock.
    """
    settings = settings or Settings()
    metrics = PlatformMetrics()
    store = store_on(
        settings.database, now_ms=now_ms, readers=settings.readers, on_batch=metrics.on_batch
    )
    keys, ledger = KeyRing(store), CountedLedger(store, metrics.operations)
    velocity, installs = BusinessData(store), Installs(store)
    run_worker = RunWorker(store, settings.velerian_runner)
    velerian = VelerianServices.of(
        store,
        runner=settings.velerian_runner,
        rate_per_minute=settings.velerian_rate_per_minute,
        delivery=settings.velerian_delivery,
        wake=run_worker.wake,
    )
    dispatcher = Dispatcher(store)
    vendo = VendoServices.of(
        store,
        key_source(settings.secret_key, settings.database),
        actions=settings.vendo_actions,
        wake=dispatcher.wake,
    )
    managed = Services(ledger, velocity, installs, velerian, vendo, store, vendo.wake)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(store.open)
        try:
            await seed_once(store, settings.seed)
            await velerian_seeding.seed_once(store)
            async with AsyncExitStack() as stack:
                # of what other processes on the database write
                for table, wake in (
                    ("vendo_events", vendo.streams.wake),
                    ("webhook_deliveries", dispatcher.wake),
                    ("velerian_runs", run_worker.wake),
                ):
                    stack.callback(store.listen(table, wake))
                await stack.enter_async_context(vendo.proxy.running())
                await stack.enter_async_context(vendo.streams.running())
                if settings.background:
                    await stack.enter_async_context(vendo.publisher.sweeping())
                    await stack.enter_async_context(dispatcher.running())
                    await stack.enter_async_context(run_worker.running())
                yield
        finally:
            await asyncio.to_thread(store.close)

    app = Starlette(
        routes=[
            Platform("/v1", VerityAPI(ledger, keys)),
            Platform("/manage/v1", ManageAPI(managed, keys)),
            Platform(
                "/api/v1/extensions", VelocityAPI(store, velocity, installs, wake=dispatcher.wake)
            ),
            Platform("/api/v2", VelerianAPI(velerian, V2)),
            Platform("/api/agenticx", VelerianAPI(velerian, AGENTICX)),
            Platform(
                "/api",
                VendoAPI(vendo, vendo_endpoints.API),
                only=("deployments", "integrations", "billing"),
            ),
            Platform("/credentials", VendoAPI(vendo, vendo_endpoints.CREDENTIALS)),
            Platform("/connections", ConnectPage(vendo, allowed=settings.vendo_return_to)),
            Platform("/composio", ProxyAPI(vendo, vendo_endpoints.COMPOSIO)),
            Platform("/explorer", Explorer(store, ledger, keys)),
            Route("/explorer", _explorer),
            Route("/healthz", Health(store)),
            Route("/openapi.json", Served()),
            Route("/readyz", Readiness(store)),
            Route(
                "/metrics", MetricsEndpoint(metrics, store, keys, public=settings.metrics_public)
            ),
        ],
        middleware=[
            Middleware(Outermost, watch=Watcher(metrics)),
            Middleware(
                HostCheck,
                allowed={*_LOOPBACK_NAMES, settings.host.lower(), *settings.allowed_hosts},
                any_address=not settings.loopback,
            ),
            Middleware(BodyLimit, limit=settings.max_body_bytes),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = _nothing_here
    app.state.store = store
    app.state.keys = keys
    app.state.velocity = velocity
    app.state.installs = installs
    app.state.velerian = velerian
    app.state.vendo = vendo
    app.state.dispatcher = dispatcher
    app.state.run_worker = run_worker
    return app


class Platform(BaseRoute):
    """A sub-app under a prefix, which alone judges what comes below, or below *only* some names.

    Starlette's own Mount matches with a regular expression that no newline passes, and namespaces
    may hold one.
    """

    def __init__(self, prefix: str, app: App, *, only: Collection[str] = ()) -> None:
        self.prefix = prefix
        self.app = app
        self._only = frozenset(only)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Everything below the prefix, whatever the method."""
        root: str = scope.get("root_path", "")
        path: str = scope["path"]
        mount = f"{root}{self.prefix}/"
        if scope["type"] != "http" or not path.startswith(mount):
            return Match.NONE, {}
        if self._only and path[len(mount) :].partition("/")[0] not in self._only:
            return Match.NONE, {}
        return Match.FULL, {"root_path": root + self.prefix}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request over."""
        await self.app(scope, receive, send)


async def _explorer(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/explorer/", 303)


async def _nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
    if scope["type"] == "http":
        raise not_found()
