"""Vendo without a client of one's own: functions that use one made from the environment.

It is made with the first call, and another when the variables have changed since; none has to be
closed.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Unpack

from .. import _vendo as vendo
from .._options import CallOptions
from .._secret import Secret
from .vendo import AsyncVendo

if TYPE_CHECKING:
    import httpx

_VARIABLES: Final = (
    "VENDO_API_KEY",
    "VENDO_BASE_URL",
    "VENDO_CREDENTIALS_URL",
    "VENDO_DATA_PROXY_URL",
)
_clients: Final[dict[tuple[Secret, ...], AsyncVendo]] = {}

PARTS: Final = ("billing", "connections", "data", "events", "integrations")
"""What of the client is reached as an attribute of the module."""


def default_client() -> AsyncVendo:
    """The client that the shortcuts use. Raises VendoConfigError for unusable variables."""
    settings = tuple(Secret(vendo.setting(name) or "") for name in _VARIABLES)
    try:
        return _clients[settings]
    except KeyError:  # several threads may come at once: one wins
        return _clients.setdefault(settings, AsyncVendo())


def is_vendo_mode() -> bool:
    """Whether ``VENDO_API_KEY`` is set, and so there is a platform to ask."""
    return default_client().is_vendo_mode()


async def token(slug: str, **options: Unpack[CallOptions]) -> str:
    """``AsyncVendo.token``."""
    return await default_client().token(slug, **options)


async def tokens(slugs: Iterable[str], **options: Unpack[CallOptions]) -> dict[str, str | None]:
    """``AsyncVendo.tokens``."""
    return await default_client().tokens(slugs, **options)


def invalidate(slug: str | None = None) -> None:
    """``AsyncVendo.invalidate``."""
    default_client().invalidate(slug)


def session(slug: str, **options: Any) -> httpx.AsyncClient:
    """``AsyncVendo.session``."""
    return default_client().session(slug, **options)


def connect_url(slug: str, return_to: str | None = None, state: str | None = None) -> str:
    """``AsyncVendo.connect_url``."""
    return default_client().connect_url(slug, return_to, state)


def for_user(jwt: str | Secret) -> AsyncVendo:
    """``AsyncVendo.for_user``."""
    return default_client().for_user(jwt)


def for_request(headers: Any) -> AsyncVendo:
    """``AsyncVendo.for_request``."""
    return default_client().for_request(headers)


@atexit.register
def _leave() -> None:
    """Nobody has to close them, so nobody is told that they are not closed."""
    for client in _clients.values():
        client.leave()
