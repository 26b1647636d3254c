"""What the management API answers, where a platform's own API does not answer the same."""

from __future__ import annotations

from typing import Any, TypedDict

from quatrain.server.answers import Day, Time
from quatrain.server.vendo.answers import SpendCaps
from quatrain.server.webhooks import DeliveryStatus

# -- Velocity OS ----------------------------------------------------------------------------------


class Account(TypedDict):
    """A founder's account."""

    tenant: str
    email: str
    name: str
    tier: str
    venture_id: str
    profile: Any
    created_at: Time


class Extension(TypedDict):
    """An extension that the account knows."""

    slug: str
    name: str
    developer: str
    created_at: Time


class Install(TypedDict):
    """An install, without its key."""

    install_id: str
    extension_slug: str
    extension_name: str
    developer: str
    hint: str
    scopes: list[str]
    sandbox: bool
    created_at: Time
    last_used_at: Time | None
    revoked_at: Time | None


class NewInstall(Install):
    """An install with its key, which is told this once."""

    key: str


class Task(TypedDict):
    """A task, open or completed."""

    task_id: str
    module_source: str
    action: str
    category: str | None
    timeframe: str | None
    quadrant: str | None
    assignee: str | None
    deadline: Day | None
    created_at: Time
    updated_at: Time
    completed_at: Time | None


class Tasks(TypedDict):
    """The backlog, and what is done of it."""

    open: list[Task]
    completed: list[Task]


# -- webhooks -------------------------------------------------------------------------------------


class Endpoint(TypedDict):
    """Where events go, without the secret."""

    endpoint_id: str
    url: str
    events: list[str]
    extension_slug: str | None
    created_at: Time
    removed_at: Time | None


class NewEndpoint(Endpoint):
    """Where events go, with the signing secret, which is told this once."""

    secret: str


class Delivery(TypedDict):
    """One event on its way to one endpoint."""

    delivery_id: str
    endpoint_id: str
    event: str
    payload: Any
    status: DeliveryStatus
    attempts: int
    tries_left: int
    next_attempt_at: Time | None
    created_at: Time
    delivered_at: Time | None
    last_status: int | None
    last_error: str | None


class Triggered(TypedDict):
    """How many deliveries an event makes."""

    deliveries: int


# -- Vendo ----------------------------------------------------------------------------------------


class App(TypedDict):
    """An app."""

    app: str
    name: str
    created_at: Time


class VendoKey(TypedDict):
    """A key without its secret."""

    id: str
    app: str
    integration: str | None
    connection_id: str | None
    hint: str
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None
    revoked_at: Time | None


class NewVendoKey(VendoKey):
    """A key with its secret, which is told this once."""

    key: str


class Connection(TypedDict):
    """A connection, as its tenant sees it."""

    connection_id: str
    external_id: str | None
    slug: str
    display_name: str
    category: str
    profile: str
    status: str
    metadata: Any
    user_id: str | None
    apps: list[str]
    error_message: str | None
    connected_at: Time | None
    created_at: Time
    updated_at: Time


class UserToken(TypedDict):
    """What an app sends to act for a user."""

    user_id: str
    user_jwt: str
    expires_at: Time


class Resealed(TypedDict):
    """How many tokens were sealed anew."""

    resealed: int


class Published(TypedDict):
    """How many events were told, and to how many apps."""

    published: int
    apps: int


class Wallet(SpendCaps):
    """What is left, what may be spent and what was."""

    tenant: str
    credits_micros: int
    currency: str
