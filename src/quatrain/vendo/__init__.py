"""Vendo: tokens and connections of integrations, billing, live events, an env file that follows.

::

    from quatrain import vendo

    vendo.token("openai")                          # VENDO_API_KEY, or OPENAI_API_KEY without one
    for message in vendo.events.subscribe():
        print(message.type)

What is asked here goes through a client made from the environment; ``Vendo`` and ``AsyncVendo`` are
clients of one's own, and ``aio`` has what stands here for ``await``. ``connections``,
``integrations``, ``billing``, ``events`` and ``data`` are that client's. Beside them there are
``reconciler`` (an env file that follows the connections), ``sso``, ``deployment`` and ``testing``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from .._async.vendo import AsyncVendo
from .._sync import shortcuts as _shortcuts
from .._sync.shortcuts import (
    connect_url,
    for_request,
    for_user,
    invalidate,
    is_vendo_mode,
    session,
    token,
    tokens,
)
from .._sync.vendo import Vendo
from ..errors.vendo import (
    AuthError,
    BalanceExhausted,
    IdempotencyConflict,
    IdentityNotPresent,
    NeedsReauth,
    NotConnected,
    RateLimited,
    SpendCapExceeded,
    UpstreamError,
    ValidationError,
    VendoAPIError,
    VendoConfigError,
    VendoError,
    VendoOnlyFeature,
    VendoStreamError,
    VendoTransportError,
)
from ..models.vendo import (
    Balance,
    Connection,
    EnvBootstrap,
    EnvVar,
    Integration,
    Message,
    SpendCaps,
    VendoIdentity,
    WebhookEvent,
)
from .webhooks import MissingSecretError, WebhooksAPI

if TYPE_CHECKING:
    from .._sync.actions import DataAPI
    from .._sync.billing import BillingAPI
    from .._sync.events import EventsAPI
    from .._sync.integrations import ConnectionsAPI, IntegrationsAPI
    from . import aio, deployment, reconciler, sso, testing

    billing: BillingAPI
    connections: ConnectionsAPI
    data: DataAPI
    events: EventsAPI
    integrations: IntegrationsAPI

__all__ = [
    "AsyncVendo",
    "AuthError",
    "Balance",
    "BalanceExhausted",
    "Connection",
    "EnvBootstrap",
    "EnvVar",
    "IdempotencyConflict",
    "IdentityNotPresent",
    "Integration",
    "Message",
    "MissingSecretError",
    "NeedsReauth",
    "NotConnected",
    "RateLimited",
    "SpendCapExceeded",
    "SpendCaps",
    "UpstreamError",
    "ValidationError",
    "Vendo",
    "VendoAPIError",
    "VendoConfigError",
    "VendoError",
    "VendoIdentity",
    "VendoOnlyFeature",
    "VendoStreamError",
    "VendoTransportError",
    "WebhookEvent",
    "WebhooksAPI",
    "aio",
    "billing",
    "connect_url",
    "connections",
    "data",
    "deployment",
    "events",
    "for_request",
    "for_user",
    "integrations",
    "invalidate",
    "is_vendo_mode",
    "reconciler",
    "session",
    "sso",
    "testing",
    "token",
    "tokens",
]


_MODULES: Final = frozenset({"aio", "deployment", "reconciler", "sso", "testing"})
"""What is imported when it is first touched."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _shortcuts.PARTS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(_shortcuts.default_client(), name)


def __dir__() -> list[str]:
    return __all__
