"""What Vendo's half knows of, as it is handed around."""

from __future__ import annotations

import attrs

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
