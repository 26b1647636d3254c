"""A request to the management API that has been let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs

from quatrain.server.answers import Items
from quatrain.server.keys import Principal
from quatrain.server.ledger import Ledger
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.store import Store
from quatrain.server.velerian.call import Services as VelerianServices
from quatrain.server.velocity import Account, BusinessData, Extension, Installs
from quatrain.server.vendo.call import Services as VendoServices

T = TypeVar("T")


@attrs.frozen
class Services:
    """What the platform's parts offer.

    ``wake`` tells the dispatcher, and streams of events, that there may be something.
    """

    ledger: Ledger
    business: BusinessData
    installs: Installs
    velerian: VelerianServices
    vendo: VendoServices
    store: Store
    wake: Callable[[], None]


@attrs.frozen
class Call:
    """A request that has been let in.

    The services, whose account, by whose key, and the names in the path.
    """

    services: Services
    account: Account
    principal: Principal
    names: dict[str, str]

    @property
    def tenant(self) -> str:
        """Whose data."""
        return self.account.tenant

    async def write(self, operation: Callable[..., T | RefusedError], **params: Any) -> T:
        """Run an operation of the outbox about the account; raises what it refuses."""
        values = {"account_id": self.account.id, **params}
        return accepted(await self.services.store.write(operation, values))

    async def extensions(self) -> list[Extension]:
        """Every extension that the account knows."""
        return await asyncio.to_thread(self.services.installs.extensions, self.account.id)


def items(rendered: Iterable[T]) -> Items[T]:
    """An answer that is a list."""
    return {"items": list(rendered)}
