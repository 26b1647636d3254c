"""All platforms behind one client, each built from the environment when it is first touched."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..errors import ConfigError
from .platform import close_all
from .velerian import AsyncVelerianClient
from .velocity import AsyncVelocityOS
from .vendo import AsyncVendo
from .verity import AsyncVerityClient

if TYPE_CHECKING:
    from ..server.local import LocalPlatform

T = TypeVar("T")


class AsyncClient:
    """The platforms of this package in one place.

    ::

        async with AsyncClient() as q:
            me = await q.velocity.whoami()
            receipt = await q.verity.protect("refund:order_48392", act=refund, namespace="payments")

    A platform that is not given is built from its environment variables on first touch; one that
    is missing is a ConfigError naming it. Nothing falls back to a local platform by itself: two
    hosts on two private ledgers would both act.
    """

    def __init__(
        self,
        *,
        velocity: AsyncVelocityOS | None = None,
        velerian: AsyncVelerianClient | None = None,
        vendo: AsyncVendo | None = None,
        verity: AsyncVerityClient | None = None,
    ) -> None:
        given = {"velocity": velocity, "velerian": velerian, "vendo": vendo, "verity": verity}
        self._platforms: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        self._local: LocalPlatform | None = None
        for platform in (velocity, velerian, vendo):
            if platform is not None:
                self._protect_writes_of(platform)

    @classmethod
    def local(cls, database: str | PathLike[str], *, namespace: str = "default") -> Self:
        """A client with a platform of its own in this process, on the SQLite file *database*.

        Several processes may share the file. A new one holds a made-up founder's business, for
        ``velocity`` to work on, and processes to invoke through ``velerian``. For ``vendo``,
        ``quatrain vendo connect`` connects integrations. Needs the extra ``[server]``. *namespace*
        is the effects' default.
        Raises ConfigError when the extra is missing or the database can't be used.
        """
        try:
            from ..server.local import LocalPlatform  # noqa: PLC0415 - the extra may be missing
        except ModuleNotFoundError as exc:
            missing = (exc.name or "").partition(".")[0]
            msg = f"local() needs {missing}, which is not installed: the extra quatrain[server]"
            raise ConfigError(msg) from exc

        platform = LocalPlatform(database)
        client = cls(
            velocity=AsyncVelocityOS(
                platform.velocity_key,
                base_url=platform.velocity_url,
                http_client=platform.async_http_client(),
            ),
            velerian=AsyncVelerianClient(
                api_key=platform.velerian_key,
                base_url=platform.velerian_url,
                http_client=platform.async_http_client(),
            ),
            vendo=AsyncVendo(
                platform.vendo_key,
                base_url=platform.vendo_url,
                credentials_url=platform.vendo_credentials_url,
                data_proxy_url=platform.vendo_data_proxy_url,
                http_client=platform.async_http_client(),
            ),
            verity=AsyncVerityClient(
                base_url=platform.verity_url,
                api_key=platform.api_key,
                namespace=namespace,
                http_client=platform.async_http_client(),
            ),
        )
        client._local = platform
        return client

    @property
    def velocity(self) -> AsyncVelocityOS:
        """A founder's business data. Its writes take an ``effect_key``."""
        return self._platform("velocity", self._make_velocity)

    @property
    def velerian(self) -> AsyncVelerianClient:
        """Governed runs, evidence, audit log, usage. Its invocations take an ``effect_key``."""
        return self._platform("velerian", self._make_velerian)

    @property
    def vendo(self) -> AsyncVendo:
        """Tokens, connections, billing, live events. ``data.execute`` takes an ``effect_key``.

        Without an API key it is in OSS mode, in which tokens come from variables.
        """
        return self._platform("vendo", self._make_vendo)

    @property
    def verity(self) -> AsyncVerityClient:
        """Effects that happen exactly once."""
        return self._platform("verity", AsyncVerityClient)

    def _platform(self, name: str, make: Callable[[], T]) -> T:
        try:
            platform: T = self._platforms[name]
        except KeyError:  # several threads may come at once: one wins
            platform = self._platforms.setdefault(name, make())
        return platform

    def _make_velocity(self) -> AsyncVelocityOS:
        velocity = AsyncVelocityOS()
        self._protect_writes_of(velocity)
        return velocity

    def _make_velerian(self) -> AsyncVelerianClient:
        velerian = AsyncVelerianClient()
        self._protect_writes_of(velerian)
        return velerian

    def _make_vendo(self) -> AsyncVendo:
        vendo = AsyncVendo()
        self._protect_writes_of(vendo)
        return vendo

    def _protect_writes_of(
        self, platform: AsyncVelocityOS | AsyncVelerianClient | AsyncVendo
    ) -> None:
        own = weakref.ref(self)  # or the two would keep each other alive, unclosed

        def effects() -> AsyncVerityClient:
            client = own()
            if client is None:
                raise ConfigError("the client that held Verity as well is gone")
            return client.verity

        platform.protect_writes_with(effects)

    async def aclose(self) -> None:
        """Close the platforms' clients, and the local platform. Twice is fine."""
        try:
            await close_all(list(self._platforms.values()))
        finally:
            if self._local is not None:
                self._local.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
