"""What Vendo's half knows of, as it is handed around, and what it refuses."""

from __future__ import annotations

from typing import ClassVar

import attrs

from quatrain.server.problems import RefusedError

EVERYBODY = ""
"""The user id of what is no single user's."""


@attrs.frozen
class Caller:
    """Which app a request comes from, and for whom."""

    app_id: int
    tenant: str
    app_slug: str
    key_id: str | None = None
    """None for a key that is nobody's to revoke: one that was lent."""
    connection_id: int | None = None
    """The row of the one connection that a connection key opens; None for an app's own key."""
    user_id: str = EVERYBODY
    """The user that the app acts for."""


# -- refusals -------------------------------------------------------------------------------------


class VendoRefusedError(RefusedError):
    """Any refusal of Vendo's local half; ``status`` is how it is answered."""

    status: ClassVar[int] = 409
    mended_by_connecting: ClassVar[bool] = False
    """Whether the answer says where a person can connect ``slug``."""

    def __init__(
        self,
        message: str,
        *,
        slug: str | None = None,
        retry_after: int | None = None,
        suggested_fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.slug = slug
        self.retry_after = retry_after
        """In seconds."""
        self.suggested_fix = suggested_fix


class AppUnknownError(VendoRefusedError):
    """No key, or none of ours."""

    code = "app_unknown"
    status = 401


class AppRevokedError(VendoRefusedError):
    """The key was revoked."""

    code = "app_revoked"
    status = 401


class AppExpiredError(VendoRefusedError):
    """The key's time is over."""

    code = "app_expired"
    status = 401


class UserTokenInvalidError(VendoRefusedError):
    """``X-Vendo-User-JWT`` is none of ours, not this tenant's, or over."""

    code = "user_token_invalid"
    status = 401


class ForbiddenError(VendoRefusedError):
    """The key is known, and does not open this."""

    code = "forbidden"
    status = 403


class NotThereError(VendoRefusedError):
    """The tenant has no such thing."""

    code = "not_found"
    status = 404


class BindingMissingError(VendoRefusedError):
    """The app has no connection to the integration."""

    code = "binding_missing"
    status = 404
    mended_by_connecting = True


class ConnectionRevokedError(VendoRefusedError):
    """The app had one, and it was revoked."""

    code = "connection_revoked"
    status = 403
    mended_by_connecting = True


class NeedsReauthError(VendoRefusedError):
    """There is one, and a person has to grant it again."""

    code = "connection_needs_reauth"
    mended_by_connecting = True


class UnavailableError(VendoRefusedError):
    """What is sealed in the database can't be opened here."""

    code = "unavailable"
    status = 503


class RevokedForGoodError(VendoRefusedError):
    """What was disconnected is connected anew, and not changed."""

    code = "connection_revoked"


class UpstreamFailedError(VendoRefusedError):
    """The connection is there, and does not work."""

    code = "upstream_error"
    status = 502
