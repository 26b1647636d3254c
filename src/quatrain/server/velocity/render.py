"""A founder's data in the wire's words: the contract's fields, and no others."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from quatrain.server.times import iso_time, iso_time_or_none

from . import answers
from .installs import Caller
from .records import Account, Member, Module, Offer, Partnership, Program, Task

T = TypeVar("T")


def envelope(caller: Caller, data: T) -> answers.Envelope[T]:
    """What every success comes in."""
    return {
        "ok": True,
        "data": data,
        "extension_id": caller.extension_id,
        "extension_name": caller.name,
        "venture_id": caller.venture_id,
        "sandbox": caller.sandbox,
    }


def whoami(account: Account, caller: Caller) -> answers.Whoami:
    """Whom the key acts for, and the extension it belongs to."""
    return {
        "user": {
            "email": account.email,
            "name": account.name,
            "tier": account.tier,
            "venture_id": account.venture_id,
        },
        "extension": {
            "id": caller.extension_id,
            "name": caller.name,
            "slug": caller.slug,
            "developer": caller.developer,
            "granted_scopes": sorted(caller.scopes),
        },
    }


def module_summary(module: Module) -> answers.ModuleSummary:
    """A module, without its output."""
    return {
        "code": module.code,
        "status": module.status,
        "completed_at": iso_time_or_none(module.completed_at),
        "has_output": module.output is not None,
    }


def module(found: Module) -> answers.Module:
    """A module's output."""
    return {"code": found.code, "output": json_of(found.output)}


def offer(found: Offer) -> answers.Offer:
    """An offer."""
    return {
        "id": found.offer_id,
        "name": found.name,
        "status": found.status,
        "created_at": iso_time(found.created_at),
        "updated_at": iso_time(found.updated_at),
        "c3_output": json_of(found.c3_output),
    }


def member(found: Member) -> answers.Member:
    """Somebody on the team."""
    return {"name": found.name, "role": found.role, "email": found.email}


def partnership(found: Partnership) -> answers.Partnership:
    """A partner."""
    return {"name": found.name, "type": found.type, "contact": found.contact}


def task(found: Task) -> answers.Task:
    """An action, with all seven fields; null where absent."""
    return {
        "module_source": found.module_source,
        "action": found.action,
        "category": found.category,
        "timeframe": found.timeframe,
        "quadrant": found.quadrant,
        "assignee": found.assignee,
        "deadline": found.deadline,
    }


def completed_task(found: Task) -> answers.CompletedTask:
    """An action that is done."""
    return {
        "id": found.task_id,
        "action": found.action,
        "completed_at": iso_time_or_none(found.completed_at),
    }


def program(found: Program) -> answers.Program:
    """A program of the academy."""
    return {
        "id": found.id,
        "name": found.name,
        "description": found.description,
        "status": found.status,
        "created_at": iso_time(found.created_at),
    }


def json_of(text: str | None) -> Any:
    """The value of a JSON text that is kept."""
    return None if text is None else json.loads(text)
