"""Which deployment on Vendo this program is. Source: contracts, Vendo, "Deployment".

The names are attributes of the module, read from the environment whenever they are looked up::

    from quatrain.vendo import deployment

    if deployment.is_running_on_vendo():
        log.info("deployment %s of %s", deployment.deployment_slug, deployment.tenant_id)

``from quatrain.vendo.deployment import tenant_id`` gives what it was at that moment. A test sets
the variables, not the attributes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

__all__ = [
    "api_key",
    "api_url",
    "deployment_id",
    "deployment_slug",
    "is_running_on_vendo",
    "tenant_id",
]

DEFAULT_API_URL: Final = "https://vendo.run"

_VARIABLES: Final = {
    "api_key": "VENDO_API_KEY",
    "api_url": "VENDO_API_URL",
    "deployment_id": "VENDO_DEPLOYMENT_ID",
    "deployment_slug": "VENDO_DEPLOYMENT_SLUG",
    "tenant_id": "VENDO_TENANT_ID",
}

# for type checkers and editors: an annotation alone makes no attribute, so __getattr__ is asked
api_key: str | None
"""``VENDO_API_KEY``, in plain text: for passing on, not for printing."""
api_url: str
"""``VENDO_API_URL``; https://vendo.run unless set."""
deployment_id: str | None
"""``VENDO_DEPLOYMENT_ID``."""
deployment_slug: str | None
"""``VENDO_DEPLOYMENT_SLUG``."""
tenant_id: str | None
"""``VENDO_TENANT_ID``."""


def is_running_on_vendo() -> bool:
    """Whether this program was deployed by Vendo: ``VENDO_DEPLOYMENT_ID`` is set, and not empty."""
    return bool(os.environ.get("VENDO_DEPLOYMENT_ID"))


if not TYPE_CHECKING:  # to a checker it would be any name, misspelt ones too

    def __getattr__(name: str) -> str | None:
        if name not in _VARIABLES:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        # an empty value counts as unset, as everywhere
        value = os.environ.get(_VARIABLES[name]) or None
        return DEFAULT_API_URL if value is None and name == "api_url" else value


def __dir__() -> list[str]:
    return __all__
