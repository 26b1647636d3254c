"""Credentials that a process makes up for a platform of its own: they are never stored."""

from __future__ import annotations

from typing import Self

import attrs

from quatrain._secret import Secret

from .keys import Mode, new_secret
from .velerian import keys as velerian_keys
from .velocity import installs
from .vendo import keys as vendo_keys
from .webhooks.endpoints import new_signing_secret


@attrs.frozen(kw_only=True)
class Lent:
    """One for each platform; they end with whoever made them."""

    api_key: Secret
    """The effect ledger's, and the management API's."""
    velocity_key: Secret
    """Velocity OS's."""
    velerian_key: Secret
    """Velerian's."""
    vendo_key: Secret
    """Vendo's."""
    webhook_secret: Secret
    """Signs webhooks."""

    @classmethod
    def new(cls, mode: Mode = Mode.TEST) -> Self:
        """Of random text; they open nothing by themselves."""
        return cls(
            api_key=new_secret(mode),
            velocity_key=installs.new_secret(),
            velerian_key=velerian_keys.new_secret(),
            vendo_key=vendo_keys.new_secret(),
            webhook_secret=new_signing_secret(),
        )
