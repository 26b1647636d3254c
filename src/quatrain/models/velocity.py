"""Velocity OS's answers, and the values that it allows. Source: contracts, Velocity OS.

Dates are ISO-8601 strings as they came. A value that this version does not know is kept as it is:
the ``Literal`` names are for type checkers and for the local platform, which enforces them.

Every answer tells by ``sandbox`` whether it is the sandbox's dummy data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import attrs

from ._fields import raw as _raw
from ._fields import sandbox as _sandbox

__all__ = [
    "EVENT_SCOPES",
    "AcademyProgram",
    "Category",
    "CompletedTask",
    "EventType",
    "Listing",
    "Module",
    "ModuleSummary",
    "Offer",
    "Partnership",
    "Profile",
    "Quadrant",
    "Response",
    "Scope",
    "Task",
    "TaskList",
    "TeamMember",
    "Timeframe",
    "WhoAmI",
    "WhoAmIExtension",
    "WhoAmIUser",
]

T = TypeVar("T")

Category = Literal["strategy", "operations", "people", "finance"]
Timeframe = Literal["this_week", "this_month", "this_quarter"]
Quadrant = Literal["do_first", "schedule", "delegate", "eliminate"]
Scope = Literal[
    "read:profile",
    "read:modules",
    "read:offers",
    "read:team",
    "read:partnerships",
    "read:tasks",
    "read:academy",
    "write:tasks",
    "write:entities",
    "write:notes",
]
EventType = Literal[
    "module.updated",
    "tasks.created",
    "tasks.updated",
    "team.added",
    "subscription.changed",
    "extension.installed",
    "extension.revoked",
]

EVENT_SCOPES: Final[Mapping[EventType, Scope]] = {
    "module.updated": "read:modules",
    "tasks.created": "read:tasks",
    "tasks.updated": "read:tasks",
    "team.added": "read:team",
    "subscription.changed": "read:profile",
    "extension.installed": "read:profile",
    "extension.revoked": "read:profile",
}
"""Every event of the webhooks, and the scope that an install needs to get it."""


@attrs.frozen
class Response:
    """The envelope that every answer of the Extension API comes in."""

    data: Mapping[str, Any]
    extension_id: int | None = None
    extension_name: str | None = None
    venture_id: str | None = None
    sandbox: bool = False
    raw: Mapping[str, Any] = _raw()


class Listing(list[T]):
    """A list, whose ``sandbox`` tells whether it is the sandbox's dummy data."""

    sandbox: bool = False


class Profile(dict[str, Any]):
    """The founder's profile, free form; ``sandbox`` tells whether it is dummy data."""

    sandbox: bool = False


@attrs.frozen
class WhoAmIUser:
    """Whom the key acts for."""

    email: str = ""
    name: str = ""
    tier: str = ""
    venture_id: str = "default"
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class WhoAmIExtension:
    """The extension that the key belongs to, as it is installed."""

    id: int = 0
    name: str = ""
    slug: str = ""
    developer: str = ""
    granted_scopes: list[str] = attrs.field(factory=list)
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class WhoAmI:
    """The key's user and extension."""

    user: WhoAmIUser
    extension: WhoAmIExtension
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class ModuleSummary:
    """A module that the founder has touched."""

    code: str
    status: str = ""
    completed_at: str | None = None
    has_output: bool = False
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Module:
    """A completed module's output, in whatever shape that module has."""

    code: str
    output: Any = None
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Offer:
    """An offer of the founder's business."""

    id: str = ""
    name: str = ""
    status: str = ""
    created_at: str | None = None
    updated_at: str | None = None
    c3_output: Any = None
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class TeamMember:
    """Somebody on the founder's team."""

    name: str = ""
    role: str = ""
    email: str = ""
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Partnership:
    """A partner of the founder's business."""

    name: str = ""
    type: str = ""
    contact: str = ""
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Task:
    """An open action of the founder's backlog."""

    module_source: str = ""
    action: str = ""
    category: Category | str | None = None
    timeframe: Timeframe | str | None = None
    quadrant: Quadrant | str | None = None
    assignee: str | None = None
    deadline: str | None = None
    """``YYYY-MM-DD``."""
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class CompletedTask:
    """An action that is done."""

    id: str = ""
    action: str = ""
    completed_at: str | None = None
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class TaskList:
    """The founder's backlog."""

    open: list[Task] = attrs.field(factory=list)
    completed: list[CompletedTask] = attrs.field(factory=list)
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class AcademyProgram:
    """A program of the founder's academy; only the academy tier has them."""

    id: int = 0
    name: str = ""
    description: str = ""
    status: str = ""
    created_at: str | None = None
    sandbox: bool = _sandbox()
    raw: Mapping[str, Any] = _raw()
