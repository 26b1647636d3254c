"""What an account's extensions are told: the events' payloads, and whose endpoints get them.

Called inside the operation of the change that an event tells of: the change and its rows in the
outbox are one transaction. Source: contracts, Velocity OS, "Webhooks".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from quatrain.models.velocity import EVENT_SCOPES, EventType
from quatrain.server import jsontext
from quatrain.server.store import Connection, queries
from quatrain.server.times import iso_time_or_none
from quatrain.server.webhooks import outbox

from .records import Member, Module, Task

Payload = Mapping[str, Any]

_SQL: Final = queries.load("velocity")


# -- payloads -------------------------------------------------------------------------------------


def module_updated(module: Module) -> Payload:
    """``module.updated``."""
    return {
        "module_code": module.code,
        "completed_at": iso_time_or_none(module.completed_at),
    }


def task_created(task: Task) -> Payload:
    """``tasks.created``."""
    return {
        "module_source": task.module_source,
        "action": task.action,
        "category": task.category,
        "timeframe": task.timeframe,
    }


def task_updated(task: Task) -> Payload:
    """``tasks.updated``."""
    return {
        "module_source": task.module_source,
        "action": task.action,
        "quadrant": task.quadrant,
        "assignee": task.assignee,
        "deadline": task.deadline,
    }


def team_added(member: Member) -> Payload:
    """``team.added``."""
    return {"name": member.name, "role": member.role, "email": member.email}


def subscription_changed(new_tier: str, source: str) -> Payload:
    """``subscription.changed``."""
    return {"new_tier": new_tier, "source": source}


def extension_installed(slug: str, scopes: Iterable[str]) -> Payload:
    """``extension.installed``."""
    return {"extension_slug": slug, "scopes": sorted(scopes)}


def extension_revoked(install_id: str) -> Payload:
    """``extension.revoked``."""
    return {"install_id": install_id}


# -- who gets them --------------------------------------------------------------------------------


def to_account(
    connection: Connection,
    now: int,
    account_id: int,
    event: EventType,
    payload: Payload,
    *,
    real: bool = True,
) -> int:
    """Tell every extension that an install of the account lets know; how many deliveries that is.

    An extension that is installed twice has each of its endpoints told once. Installs in sandbox
    mode let nothing *real* be known.
    """
    wanted = {
        "account_id": account_id,
        "event": event,
        "scope": EVENT_SCOPES[event],
        "sandbox": 0 if real else 1,
    }
    endpoints = connection.execute(_SQL["endpoints_of_account"], wanted).fetchall()
    return _tell(connection, now, endpoints, event, payload)


def to_extension(
    connection: Connection,
    now: int,
    extension_id: int,
    scopes: Iterable[str],
    event: EventType,
    payload: Payload,
) -> int:
    """Tell one extension of an install that has, or had, *scopes*; how many deliveries that is."""
    if EVENT_SCOPES[event] not in scopes:
        return 0
    wanted = {"extension_id": extension_id, "event": event}
    endpoints = connection.execute(_SQL["endpoints_of_extension"], wanted).fetchall()
    return _tell(connection, now, endpoints, event, payload)


def _tell(
    connection: Connection,
    now: int,
    endpoints: list[tuple[int]],
    event: EventType,
    payload: Payload,
) -> int:
    text = jsontext.dump(payload)
    for (endpoint_id,) in endpoints:
        outbox.add(connection, now, endpoint_id, event, text)
    return len(endpoints)
