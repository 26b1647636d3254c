"""Vendo's endpoints: what each answers. Source: contracts, Vendo, "Two modes"."""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.server.endpoint import Endpoint, Handler, endpoint
from quatrain.server.routes import Routes

from .call import Call


async def list_connections(call: Call) -> dict[str, Any]:
    """Those of the app, and what else could be connected."""
    del call
    return {"connections": []}


# -- routes ---------------------------------------------------------------------------------------


@attrs.frozen
class Operation:
    """An endpoint, and whether the key of a single connection opens it, too."""

    endpoint: Endpoint[Call]
    takes_connection_keys: bool = False


def operation(handler: Handler, *, takes_connection_keys: bool = False) -> Operation:
    """An endpoint by the function that answers it."""
    return Operation(endpoint(handler, rename=str), takes_connection_keys)


API: Final[Routes[Operation]] = Routes(
    {
        "GET /deployments/me/connections": operation(list_connections),
    }
)
"""Below ``/api``: what the contract's origin serves."""

CREDENTIALS: Final[Routes[Operation]] = Routes({})
"""Below ``/credentials``, which stands for the credentials host."""

COMPOSIO: Final[Routes[Operation]] = Routes({})
"""Below ``/composio``, which stands for the data proxy."""
