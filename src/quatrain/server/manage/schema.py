"""What the management API's endpoints take.

An optional field that is null counts as absent; fields that are not listed are ignored. Values that
Velocity OS's own API takes are checked as it does.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

import attrs

from quatrain.models.velocity import Category, EventType, Quadrant, Scope, Timeframe
from quatrain.server.shapes import (
    IS_TIME,
    NAMES_ONE,
    JsonObject,
    JsonText,
    Validator,
    between,
    length,
    told,
    unless_none,
)
from quatrain.server.velerian.keys import MAX_RATE
from quatrain.server.velerian.records import AbpState, ApprovalState
from quatrain.server.velocity import values
from quatrain.server.webhooks.endpoints import check_url

MIN_SECRET: Final = 16
MAX_SECRET: Final = 500

_NAME: Final = values.filled(values.MAX_NAME)


def _maybe(validator: Validator) -> Any:
    return attrs.field(default=None, validator=unless_none(validator))


def _change(validator: Validator) -> Any:
    """A field that ``""`` empties."""
    return attrs.field(default=None, validator=values.unless_empty(validator))


def _url(_: Any, __: Any, value: str) -> None:
    check_url(value)


def _visible(owner: Any, field: Any, value: str) -> None:
    if len(value) < MIN_SECRET:
        raise ValueError(f"must have at least {MIN_SECRET} characters")
    length(MIN_SECRET, MAX_SECRET)(owner, field, value)
    if not all("!" <= char <= "~" for char in value):
        raise ValueError("must be visible ASCII characters")


def _object(_: Any, __: Any, value: JsonText) -> None:
    if not isinstance(json.loads(value), dict):
        raise ValueError("must be an object")  # noqa: TRY004 - it becomes a fault, as others do


_URL: Final = told(_url, pattern="^[Hh][Tt][Tt][Pp][Ss]?://")
_VISIBLE: Final = unless_none(
    told(_visible, minLength=MIN_SECRET, maxLength=MAX_SECRET, pattern="^[!-~]*$")
)
_OBJECT: Final = unless_none(told(_object, type="object"))


@attrs.frozen(kw_only=True)
class InstallBody:
    """``POST /velocity/installs``."""

    slug: str = attrs.field(validator=_NAME)
    name: str | None = _maybe(_NAME)
    developer: str | None = _maybe(_NAME)
    scopes: list[Scope] | None = attrs.field(default=None, validator=unless_none(NAMES_ONE))
    """None for all."""
    sandbox: bool | None = None


@attrs.frozen(kw_only=True)
class ChangeTaskBody:
    """``POST /velocity/tasks/{id}``: what is to change."""

    action: str | None = _maybe(values.filled(values.MAX_TEXT))
    module_source: str | None = _maybe(_NAME)
    category: str | None = _change(values.one_of(Category))
    timeframe: str | None = _change(values.one_of(Timeframe))
    quadrant: str | None = _change(values.one_of(Quadrant))
    assignee: str | None = _change(_NAME)
    deadline: str | None = _change(values.day)

    @property
    def changes(self) -> dict[str, str]:
        """What was given, by name; ``""`` empties."""
        fields: dict[str, str | None] = attrs.asdict(self)
        return {name: value for name, value in fields.items() if value is not None}


@attrs.frozen(kw_only=True)
class CompleteModuleBody:
    """``POST /velocity/modules/{code}``."""

    output: JsonText


@attrs.frozen(kw_only=True)
class SubscriptionBody:
    """``POST /velocity/subscription``."""

    tier: str = attrs.field(validator=_NAME)
    source: str | None = _maybe(_NAME)


@attrs.frozen(kw_only=True)
class EndpointBody:
    """``POST /webhooks``."""

    url: str = attrs.field(validator=_URL)
    events: list[Literal[EventType, "*"]] | None = attrs.field(
        default=None, validator=unless_none(NAMES_ONE)
    )
    """None for every event."""
    extension: str | None = None
    """A slug."""
    secret: str | None = attrs.field(default=None, validator=_VISIBLE, repr=False)
    """None has one made up."""
    replace: bool = False
    """Take over the extension's endpoint of this URL, with what waits for it."""


@attrs.frozen(kw_only=True)
class DeliveriesQuery:
    """``GET /webhooks/deliveries``."""

    status: Literal["PENDING", "DELIVERED", "FAILED", "CANCELLED"] | None = None
    event: str | None = None
    limit: int = attrs.field(default=50, validator=between(1, 200))
    cursor: str | None = None


@attrs.frozen(kw_only=True)
class TriggerBody:
    """``POST /webhooks/trigger``."""

    event: EventType
    payload: JsonText | None = attrs.field(default=None, validator=_OBJECT)
    """An object; None for a sample of that event."""


# -- Velerian -------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class VelerianKeyBody:
    """``POST /velerian/keys``."""

    name: str | None = _maybe(_NAME)
    scopes: list[str] | None = attrs.field(default=None, validator=unless_none(NAMES_ONE))
    """None for every fine one."""
    user_id: str | None = _maybe(_NAME)
    rate_per_minute: int | None = _maybe(between(1, MAX_RATE))
    expires_at: str | None = _maybe(IS_TIME)
    """ISO-8601."""


@attrs.frozen(kw_only=True)
class AbpBody:
    """``POST /velerian/abps``."""

    name: str
    policy: JsonObject
    abp_id: str | None = None
    """None has one made up."""
    state: AbpState | None = None
    """None for a draft."""


@attrs.frozen(kw_only=True)
class NetworkBody:
    """``POST /velerian/networks``."""

    slug: str
    name: str | None = None
    model_id: str | None = None
    policy: JsonObject | None = None
    """None allows everything."""


@attrs.frozen(kw_only=True)
class PartQuery:
    """Which part of a list, oldest first."""

    limit: int = attrs.field(default=50, validator=between(1, 1_000))
    offset: int = attrs.field(default=0, validator=between(0, 2**60))


@attrs.frozen(kw_only=True)
class ApprovalsQuery(PartQuery):
    """``GET /velerian/approvals``."""

    state: ApprovalState | None = None


@attrs.frozen(kw_only=True)
class DecisionBody:
    """``POST /velerian/approvals/{id}/approve``, and ``…/reject``, which wants a reason."""

    reason: str | None = None
    by: str | None = None
    """Who decides."""


@attrs.frozen(kw_only=True)
class RunsQuery:
    """``GET /velerian/runs``."""

    status: Literal["queued", "running", "succeeded", "failed", "blocked"] | None = None
    limit: int = attrs.field(default=50, validator=between(1, 200))
    cursor: str | None = None
