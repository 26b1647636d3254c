"""Links that open an export to whoever has them, until they expire.

A link is signed with a secret that the database alone has: it can't be made, altered or prolonged
by anybody else, and opens the same on every platform that serves the database.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, Final

from quatrain.server.store import Connection, queries

from .records import VelerianRefusedError

_FACTS: Final = queries.load("velocity")
_FACT: Final = "velerian.presign"
_SECRET_BYTES: Final = 32


class LinkRefusedError(VelerianRefusedError):
    """It was altered, or has expired."""

    code = "link_refused"
    status = 403


def secret(connection: Connection, _now: int, _: None) -> str:
    """What links are signed with, made when first asked for: an operation of the store."""
    fact = {"name": _FACT, "value": secrets.token_hex(_SECRET_BYTES)}
    connection.execute(_FACTS["add_fact"], fact).fetchall()
    (value,) = connection.execute(_FACTS["fact"], fact).fetchone()
    return str(value)


def signature(key: str, export_id: str, expires: int) -> str:
    """HMAC-SHA256 in hex. *expires* is in seconds since 1970."""
    signed = f"{export_id}\n{expires}".encode()
    return hmac.new(bytes.fromhex(key), signed, hashlib.sha256).hexdigest()


def check(connection: Connection, now: int, params: dict[str, Any]) -> LinkRefusedError | None:
    """Why a link opens nothing: a read of the store. *params*: export_id, expires, signature."""
    row = connection.execute(_FACTS["fact"], {"name": _FACT}).fetchone()
    presented: str = params["signature"]
    if row is None or not hmac.compare_digest(
        signature(row[0], params["export_id"], params["expires"]).encode(), presented.encode()
    ):
        return LinkRefusedError("this link is not one of this platform's, or has been altered")
    if now >= params["expires"] * 1000:
        return LinkRefusedError("this link has expired: ask for another export")
    return None
