"""Who is signed in, as Vendo's proxy in front of an app says. Source: contracts, Vendo, "SSO".

An app that is deployed on Vendo with sign-on (``VENDO_AUTH=1``) is reached through a proxy, which
lets nobody in who is not signed in and says who it was in ``X-Vendo-…`` headers. These are
trustworthy there only, where the proxy drops what a stranger sends under these names: anybody who
reaches the app by another way can claim to be anyone. Ask ``is_enabled()`` first.

::

    def current_user(request):
        identity = sso.identity_from_headers(request.headers) if sso.is_enabled() else None
        if identity is None:
            raise PermissionDenied
        return identity
"""

from __future__ import annotations

import os
from typing import Any, Final

import attrs

from .._headers import headers_of
from ..errors.vendo import IdentityNotPresent
from ..models.vendo import VendoIdentity

__all__ = [
    "IDENTITY_ENDPOINT_PATH",
    "VendoIdentity",
    "dashboard_url",
    "identity_from_headers",
    "identity_response",
    "is_enabled",
    "logout_url",
]

IDENTITY_ENDPOINT_PATH: Final = "/api/vendo/identity"
"""Where an app's own frontend asks who is signed in: answer it with ``identity_response``."""

_HEADERS: Final = {
    "user_id": "X-Vendo-User-Id",
    "email": "X-Vendo-User-Email",
    "name": "X-Vendo-User-Name",
    "tenant_id": "X-Vendo-Tenant-Id",
    "role": "X-Vendo-Role",
}


def is_enabled() -> bool:
    """Whether the app runs behind Vendo's sign-on: ``VENDO_AUTH`` is 1. Read at each call."""
    return os.environ.get("VENDO_AUTH", "").strip() == "1"


def identity_from_headers(headers: Any) -> VendoIdentity | None:
    """The user whom the proxy let in; None when one of the headers is missing.

    *headers* is a mapping, a framework's headers, or pairs of str or bytes; names count in any
    case. A header that is empty, or given twice, is missing, but the name may be empty. It does not
    ask whether sign-on is enabled, and it never raises.
    """
    found = headers_of(headers, tuple(_HEADERS.values()))
    fields = {
        field: value
        for field, header in _HEADERS.items()
        if (value := found[header]) or (value is not None and field == "name")
    }
    return VendoIdentity(**fields) if len(fields) == len(_HEADERS) else None


def identity_response(headers: Any) -> dict[str, str]:
    """The JSON with which ``IDENTITY_ENDPOINT_PATH`` answers.

    It has ``user_id``, ``email``, ``name``, ``tenant_id``, ``role``, ``logout_url`` and
    ``dashboard_url``. Raises IdentityNotPresent when a header is missing, as where sign-on is off:
    answer that with 404, or 403.
    """
    identity = identity_from_headers(headers)
    if identity is None:
        raise IdentityNotPresent(
            "the request came without the X-Vendo-… headers of a signed-in user"
        )
    return {
        **attrs.asdict(identity),
        "logout_url": logout_url(),
        "dashboard_url": dashboard_url(),
    }


def logout_url() -> str:
    """Where a browser signs out: a path that the proxy serves below the app's own origin."""
    return "/__vendo/auth/logout"


def dashboard_url() -> str:
    """Where a person manages apps and connections."""
    return "https://vendo.run/dashboard"
