"""What the management API's endpoints of Vendo take; see ``schema``."""

from __future__ import annotations

from typing import Literal

import attrs

from quatrain.server.shapes import IS_TIME, NAMES_ONE, JsonObject, between, length, unless_none
from quatrain.server.vendo.broker import MAX_KEY
from quatrain.server.vendo.users import MAX_SECONDS
from quatrain.server.vendo.wallet import MAX_MICROS, Window

Status = Literal["connected", "pending_setup", "needs_reauth", "error"]


@attrs.frozen(kw_only=True)
class AppBody:
    """``POST /vendo/apps``."""

    slug: str
    name: str | None = None


@attrs.frozen(kw_only=True)
class AppOfBody:
    """``POST /vendo/connections/{id}/bind``, and ``…/unbind``."""

    app: str


@attrs.frozen(kw_only=True)
class KeyBody:
    """``POST /vendo/keys``."""

    app: str | None = None
    """None for the app "local"."""
    connection_id: str | None = None
    """For a key that opens this connection only."""
    expires_at: str | None = attrs.field(default=None, validator=unless_none(IS_TIME))
    """ISO-8601."""


@attrs.frozen(kw_only=True)
class ConnectBody:
    """``POST /vendo/connections``."""

    slug: str
    app: str | None = None
    """None for the app "local"."""
    key: str | None = attrs.field(
        default=None, validator=unless_none(length(1, MAX_KEY)), repr=False
    )
    """None for a grant of the simulated provider."""
    user_id: str | None = None
    """None for everybody."""
    external_id: str | None = None
    metadata: JsonObject | None = None


@attrs.frozen(kw_only=True)
class ConnectionsQuery:
    """``GET /vendo/connections``."""

    revoked: bool = False
    """Revoked ones, too."""
    limit: int = attrs.field(default=1_000, validator=between(1, 1_000))
    offset: int = attrs.field(default=0, validator=between(0, 2**60))


@attrs.frozen(kw_only=True)
class StatusBody:
    """``POST /vendo/connections/{id}/status``."""

    status: Status
    error_message: str | None = None


@attrs.frozen(kw_only=True)
class MetadataBody:
    """``POST /vendo/connections/{id}/metadata``."""

    metadata: JsonObject


@attrs.frozen(kw_only=True)
class UserTokenBody:
    """``POST /vendo/user-tokens``."""

    user_id: str
    seconds: int | None = attrs.field(default=None, validator=unless_none(between(1, MAX_SECONDS)))


# -- events and the wallet ------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class PublishedEvent:
    """One of ``POST /vendo/events``."""

    kind: str
    fields: JsonObject


@attrs.frozen(kw_only=True)
class PublishBody:
    """``POST /vendo/events``."""

    events: list[PublishedEvent] = attrs.field(validator=NAMES_ONE)
    app: str | None = None
    """A slug; None tells every app of the tenant's."""


@attrs.frozen(kw_only=True)
class TopUpBody:
    """``POST /vendo/wallet/top-up``."""

    micros: int = attrs.field(validator=between(1, MAX_MICROS))


@attrs.frozen(kw_only=True)
class CapsBody:
    """``POST /vendo/wallet/caps``: the caps that are to change."""

    daily_micros: int | None = attrs.field(
        default=None, validator=unless_none(between(0, MAX_MICROS))
    )
    monthly_micros: int | None = attrs.field(
        default=None, validator=unless_none(between(0, MAX_MICROS))
    )
    remove: list[Window] | None = None
    """Of these windows there is to be none."""
