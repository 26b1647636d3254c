"""The shortcuts of :mod:`quatrain.vendo`, for ``await``.

::

    from quatrain.vendo import aio

    await aio.token("openai")
    async for message in aio.events.subscribe():
        print(message.type)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..._async import shortcuts as _shortcuts
from ..._async.shortcuts import (
    connect_url,
    for_request,
    for_user,
    invalidate,
    is_vendo_mode,
    session,
    token,
    tokens,
)

if TYPE_CHECKING:
    from ..._async.actions import AsyncDataAPI
    from ..._async.billing import AsyncBillingAPI
    from ..._async.events import AsyncEventsAPI
    from ..._async.integrations import AsyncConnectionsAPI, AsyncIntegrationsAPI
    from . import reconciler

    billing: AsyncBillingAPI
    connections: AsyncConnectionsAPI
    data: AsyncDataAPI
    events: AsyncEventsAPI
    integrations: AsyncIntegrationsAPI

__all__ = [
    "billing",
    "connect_url",
    "connections",
    "data",
    "events",
    "for_request",
    "for_user",
    "integrations",
    "invalidate",
    "is_vendo_mode",
    "reconciler",
    "session",
    "token",
    "tokens",
]


def __getattr__(name: str) -> Any:
    if name == "reconciler":  # imported when it is first touched
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _shortcuts.PARTS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(_shortcuts.default_client(), name)


def __dir__() -> list[str]:
    return __all__
