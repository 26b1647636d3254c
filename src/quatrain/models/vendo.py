"""Vendo's answers. Source: contracts, Vendo.

Amounts of money are in micros, millionths of the currency's unit. Times are ISO-8601 strings on the
server's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from ._fields import raw as _raw

__all__ = [
    "Balance",
    "Connection",
    "ConnectionStatus",
    "EnvBootstrap",
    "EnvVar",
    "Integration",
    "Message",
    "Profile",
    "SpendCaps",
    "VendoIdentity",
    "WebhookEvent",
]

Profile = Literal[
    "vendo_managed_pool",
    "byok_static",
    "user_oauth",
    "oauth_app_install",
    "webhook_inbound",
    "composio_managed",
]
"""How a connection is authorised."""
ConnectionStatus = Literal[
    "connected", "available", "pending_setup", "needs_reauth", "error", "revoked"
]

Restart = Literal["gateway", "none"]


@attrs.frozen
class EnvVar:
    """A variable that a program wants, and what of the connection is its value."""

    name: str
    value_from: str
    """``credential.access_token``, ``api_key``, …: a path below the connection."""
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EnvBootstrap:
    """How a connection becomes environment variables."""

    vars: list[EnvVar] = attrs.field(factory=list)
    restart: Restart | str | None = None
    """What has to start again to see them."""
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Connection:
    """An integration as the app may use it."""

    slug: str
    display_name: str = ""
    category: str = ""
    profile: Profile | str | None = None
    status: ConnectionStatus | str | None = None
    id: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict)
    context: Any = None
    credential: Any = attrs.field(default=None, repr=False)
    """What opens it, where the platform hands it out. Not shown."""
    api_key: str | None = attrs.field(default=None, repr=False)
    """A key for ``base_url`` instead of the provider. Not shown."""
    base_url: str | None = None
    setup_url: str | None = None
    error_message: str | None = None
    connected_at: str | None = None
    logo_url: str | None = None
    brand_color: str | None = None
    docs_url: str | None = None
    exclusive: bool | None = None
    env_bootstrap: EnvBootstrap | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Integration:
    """What can be connected."""

    slug: str
    name: str = ""
    description: str = ""
    category: str = ""
    logo_url: str | None = None
    brand_color: str | None = None
    docs_url: str | None = None
    supported_profiles: list[str] = attrs.field(factory=list)
    """``[default_profile]`` unless the platform lists others."""
    default_profile: Profile | str | None = None
    enabled: bool = True
    featured: bool = False
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Balance:
    """What is left to spend."""

    credits_remaining_micros: int = 0
    currency: str = "USD"
    top_up_url: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class SpendCaps:
    """What may be spent, and what has been; None is no cap."""

    daily_micros: int | None = None
    monthly_micros: int | None = None
    used_today_micros: int = 0
    used_month_micros: int = 0
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Message:
    """One event of the stream."""

    type: str
    """``connection.connected``, ``billing.cap_tripped``, …"""
    data: Any
    """The parsed JSON; where it is none, the text."""
    id: str | None = None
    """By which the stream is resumed."""
    retry: int | None = None
    """Milliseconds that the server asks to wait before a reconnect, if this block does."""


@attrs.frozen
class WebhookEvent:
    """A verified webhook."""

    id: str
    type: str
    occurred_at: str
    data: Any = attrs.field(repr=False)


@attrs.frozen
class VendoIdentity:
    """The user whom Vendo's sign-on let in."""

    user_id: str
    email: str
    name: str
    """May be empty."""
    tenant_id: str
    role: str
