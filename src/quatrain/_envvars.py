"""What of a connection becomes a variable. Source: contracts, Vendo, ``env_bootstrap``. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .models.vendo import Connection

TOKEN_PATHS: Final = frozenset(
    {
        "credential",
        "credential.access_token",
        "credential.api_key",
        "credential.bot_token",
        "credential.token",
        "token",
    }
)
"""What is asked for as the connection's token where the list does not hand it out."""


def value_at(connection: Connection, path: str) -> str | None:
    """What is at *path* below *connection*, ``credential.access_token``, ``metadata.region``, ….

    None where there is nothing, or nothing that fits into a variable.
    """
    first, *rest = path.split(".")
    found: Any = getattr(connection, first, None) if first in _FIELDS else connection.raw.get(first)
    for name in rest:
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return str(found)
    return found if isinstance(found, str) and found else None


_FIELDS: Final = frozenset(
    name for name in Connection.__annotations__ if name not in {"raw", "env_bootstrap"}
)
