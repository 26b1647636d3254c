"""What Vendo answers. Source: contracts, Vendo, "Two modes" and "Errors"."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from quatrain.server.answers import Fault, Time


class Variable(TypedDict):
    """Which variable a program wants something in."""

    name: str
    value_from: str


class Bootstrap(TypedDict):
    """What a program wants in its environment."""

    vars: list[Variable]
    restart: Literal["gateway", "none"]


class Available(TypedDict):
    """What the app has no connection to."""

    id: None
    slug: str
    display_name: str
    category: str
    profile: str
    status: Literal["available"]
    metadata: dict[str, Any]
    setup_url: str
    env_bootstrap: Bootstrap


class Connection(TypedDict):
    """A connection, as its app sees it."""

    id: str
    external_id: str | None
    slug: str
    display_name: str
    category: str
    profile: str
    status: str
    metadata: Any
    setup_url: str | None
    error_message: str | None
    connected_at: Time | None
    env_bootstrap: Bootstrap


class Connections(TypedDict):
    """Those that the app may use, and what else there is to connect."""

    connections: list[Connection | Available]


class Integration(TypedDict):
    """What can be connected."""

    slug: str
    name: str
    description: str
    category: str
    supported_profiles: list[str]
    default_profile: str
    enabled: bool
    featured: bool


class Integrations(TypedDict):
    """The whole catalogue."""

    integrations: list[Integration]


class Token(TypedDict):
    """What opens a connection."""

    access_token: str
    expires_at: Time | None
    token_type: str


class Tokens(TypedDict):
    """By slug; null for what can't be used."""

    tokens: dict[str, Token | None]


class Balance(TypedDict):
    """What is left to spend, in millionths of the currency."""

    credits_remaining_micros: int
    currency: str
    top_up_url: str | None


class SpendCaps(TypedDict):
    """What may be spent, and what was; a cap that is null is none."""

    daily_micros: int | None
    monthly_micros: int | None
    used_today_micros: int
    used_month_micros: int


class Usage(TypedDict):
    """What was spent since the beginning of a window, and with whom."""

    period: Literal["day", "month"]
    since: Time
    total_micros: int
    by_provider: dict[str, int]


class Executed(TypedDict):
    """What an action answers."""

    data: Any


class Error(TypedDict):
    """Why a request was refused, and what mends it."""

    code: str
    message: str
    slug: NotRequired[str]
    connect_url: NotRequired[str]
    retry_after: NotRequired[int]
    suggested_fix: NotRequired[str]
    details: NotRequired[list[Fault]]


class Problem(TypedDict):
    """What an error comes in."""

    error: Error


class NotConnected(TypedDict):
    """The data proxy's own: the app has no connection to the toolkit."""

    error: str
    toolkit: str | None


class ActionFailed(TypedDict):
    """The data proxy's own: the action did not come to an answer."""

    error: str
