"""The records of the platforms in the management API's words: snake_case and ISO times."""

from __future__ import annotations

import json
from collections.abc import Mapping

from quatrain.server.ids import row_id
from quatrain.server.problems import ProblemError
from quatrain.server.times import iso_time, iso_time_or_none
from quatrain.server.velocity.answers import Member as TeamMember
from quatrain.server.velocity.answers import ModuleSummary
from quatrain.server.velocity.installs import Extension, Install
from quatrain.server.velocity.records import Account, Member, Module, Task
from quatrain.server.webhooks import Delivery, Endpoint

from . import answers


def account(found: Account) -> answers.Account:
    """A founder's account."""
    return {
        "tenant": found.tenant,
        "email": found.email,
        "name": found.name,
        "tier": found.tier,
        "venture_id": found.venture_id,
        "profile": json.loads(found.profile),
        "created_at": iso_time(found.created_at),
    }


def extension(found: Extension) -> answers.Extension:
    """An extension that the account knows."""
    return {
        "slug": found.slug,
        "name": found.name,
        "developer": found.developer,
        "created_at": iso_time(found.created_at),
    }


def install(found: Install) -> answers.Install:
    """An install; its key is not known any more."""
    return {
        "install_id": found.install_id,
        "extension_slug": found.slug,
        "extension_name": found.name,
        "developer": found.developer,
        "hint": found.hint,
        "scopes": sorted(found.scopes),
        "sandbox": found.sandbox,
        "created_at": iso_time(found.created_at),
        "last_used_at": iso_time_or_none(found.last_used_at),
        "revoked_at": iso_time_or_none(found.revoked_at),
    }


def task(found: Task) -> answers.Task:
    """A task, open or completed."""
    return {
        "task_id": found.task_id,
        "module_source": found.module_source,
        "action": found.action,
        "category": found.category,
        "timeframe": found.timeframe,
        "quadrant": found.quadrant,
        "assignee": found.assignee,
        "deadline": found.deadline,
        "created_at": iso_time(found.created_at),
        "updated_at": iso_time(found.updated_at),
        "completed_at": iso_time_or_none(found.completed_at),
    }


def member(found: Member) -> TeamMember:
    """Somebody on the team."""
    return {"name": found.name, "role": found.role, "email": found.email}


def module(found: Module) -> ModuleSummary:
    """A module, without its output."""
    return {
        "code": found.code,
        "status": found.status,
        "completed_at": iso_time_or_none(found.completed_at),
        "has_output": found.output is not None,
    }


def endpoint(found: Endpoint, slugs: Mapping[int, str]) -> answers.Endpoint:
    """Where events go, without the secret; *slugs* are those of the extensions by id."""
    return {
        "endpoint_id": endpoint_id(found.id),
        "url": found.url,
        "events": sorted(found.events),
        "extension_slug": slugs.get(found.extension_id),
        "created_at": iso_time(found.created_at),
        "removed_at": iso_time_or_none(found.removed_at),
    }


def delivery(found: Delivery) -> answers.Delivery:
    """One event on its way to one endpoint."""
    return {
        "delivery_id": found.delivery_id,
        "endpoint_id": endpoint_id(found.endpoint_id),
        "event": found.event_type,
        "payload": json.loads(found.payload),
        "status": found.status,
        "attempts": found.attempts,
        "tries_left": found.tries_left,
        "next_attempt_at": iso_time_or_none(found.next_attempt_at),
        "created_at": iso_time(found.created_at),
        "delivered_at": iso_time_or_none(found.delivered_at),
        "last_status": found.last_status,
        "last_error": found.last_error,
    }


def endpoint_id(row: int) -> str:
    """``whe_7``."""
    return f"whe_{row}"


def endpoint_row(given: str) -> int:
    """What ``endpoint_id`` made; raises ProblemError 404 for anything else."""
    row = row_id(given, "whe")
    if row is None:
        raise ProblemError(404, "endpoint_not_found", "there is no such endpoint")
    return row
