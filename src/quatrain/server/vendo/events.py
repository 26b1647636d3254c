"""What an app's streams are told, written in the transaction of the change that it tells of.

Source: contracts, Vendo, "Events (SSE)".
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quatrain.server import jsontext
from quatrain.server.store import Connection, queries
from quatrain.server.times import iso_time

from .records import EVERYBODY

_SQL: Final = queries.load("vendo_events")


def emit(
    connection: Connection,
    now: int,
    app_id: int,
    kind: str,
    *,
    user_id: str = EVERYBODY,
    **fields: Any,
) -> None:
    """Tell one app; of a user's own, with the *user_id*, which is not among what is told."""
    connection.execute(_SQL["add_event"], _row(now, app_id, user_id, kind, fields))


def emit_all(
    connection: Connection,
    now: int,
    app_id: int,
    events: Iterable[tuple[str, Mapping[str, Any]]],
) -> None:
    """Tell one app of many things, each a kind and its fields, in their order: nobody's own."""
    rows = [_row(now, app_id, EVERYBODY, kind, fields) for kind, fields in events]
    connection.executemany(_SQL["add_event"], rows)


def emit_to_bound(
    connection: Connection,
    now: int,
    connection_id: int,
    kind: str,
    /,
    *,
    user_id: str,
    **fields: Any,
) -> None:
    """Tell every app that is bound to the connection with this row id, which is the user's."""
    rows = connection.execute(_SQL["bound_apps"], {"connection_id": connection_id}).fetchall()
    for (app_id,) in rows:
        emit(connection, now, app_id, kind, user_id=user_id, **fields)


def emit_to_tenant(connection: Connection, now: int, tenant: str, kind: str, **fields: Any) -> None:
    """Tell every app of the tenant."""
    for (app_id,) in connection.execute(_SQL["apps_of_tenant"], {"tenant": tenant}).fetchall():
        emit(connection, now, app_id, kind, **fields)


def _row(
    now: int, app_id: int, user_id: str, kind: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    event_id = f"evt_{secrets.token_hex(12)}"
    payload = {"id": event_id, "at": iso_time(now), "kind": kind, **fields}
    return {
        "app_id": app_id,
        "user_id": user_id,
        "event_id": event_id,
        "kind": kind,
        "payload": jsontext.dump(payload),
        "now": now,
    }
