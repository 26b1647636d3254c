"""What can be connected, and what is. Source: contracts, Vendo."""

from __future__ import annotations

from typing import Unpack

from .. import _vendo as vendo
from .._options import CallOptions
from .._runtime._async import may_wait_for
from .._runtime._flights import Flights
from ..errors.vendo import AuthError, VendoAPIError
from ..models.vendo import Connection, Integration
from .flights import landed
from .hosts import AsyncVendoAPI

Connections = list[Connection]
Integrations = list[Integration]
Names = list[str]


class AsyncConnectionsAPI:
    """``client.connections``."""

    def __init__(self, api: AsyncVendoAPI) -> None:
        self._api = api
        self._flights: Flights[Connections] = Flights()

    async def list(self, **options: Unpack[CallOptions]) -> Connections:
        """The app's connections. Raises VendoOnlyFeature without an API key.

        Calls at the same time share one request, which is sent with the first one's options.
        """
        self._api.require("connections.list")
        while True:
            flight, leads = self._flights.join("list")
            if leads:
                break
            if not may_wait_for(flight.thread):
                return await self._fetch(**options)
            if (shared := await landed(flight)) is not None:
                return [*shared]
        try:
            found = await self._fetch(**options)
        except BaseException as exc:
            self._flights.fail("list", flight, exc)
            raise
        self._flights.land("list", flight, found)
        return [*found]

    async def get(self, slug: str, **options: Unpack[CallOptions]) -> Connection | None:
        """The connection to *slug*; None where there is none. It is looked up in ``list``."""
        slug = vendo.slug_of(slug)
        found = await self.list(**options)
        return next((each for each in found if each.slug == slug), None)

    async def _fetch(self, **options: Unpack[CallOptions]) -> Connections:
        return await self._api.get(
            "connections.list",
            "deployments",
            "me",
            "connections",
            reads=vendo.connections,
            **options,
        )


class AsyncIntegrationsAPI:
    """``client.integrations``."""

    def __init__(self, api: AsyncVendoAPI) -> None:
        self._api = api

    async def list(self, **options: Unpack[CallOptions]) -> Integrations:
        """Everything that can be connected. Raises VendoOnlyFeature without an API key."""
        return await self._api.get(
            "integrations.list", "integrations", reads=vendo.integrations, **options
        )

    async def get(self, slug: str, **options: Unpack[CallOptions]) -> Integration | None:
        """One of them; None for a slug that the platform does not know."""
        slug = vendo.slug_of(slug)
        try:
            return await self._api.get(
                "integrations.get", "integrations", slug, reads=vendo.integration, **options
            )
        except AuthError:
            raise
        except VendoAPIError as exc:
            if exc.status == 404:
                return None
            raise

    def env_vars(self, slug: str) -> Names:
        """The variables in which a key of one's own for *slug* is looked for, the primary first.

        Told from the bundled catalogue, without a request; empty for an unknown slug.
        """
        return vendo.own_variables(vendo.slug_of(slug))
