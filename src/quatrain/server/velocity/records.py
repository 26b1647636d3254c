"""A founder's business data, and what is refused. Source: contracts, Velocity OS, "Endpoints".

Times are in milliseconds since 1970; profiles and outputs are JSON texts.
"""

from __future__ import annotations

import attrs

from quatrain.models.velocity import Category, Quadrant, Timeframe
from quatrain.server.problems import RefusedError

from . import values


@attrs.frozen
class Account:
    """A founder's business; each tenant is one."""

    id: int
    tenant: str
    email: str
    name: str
    tier: str
    venture_id: str
    profile: str
    """A JSON object."""
    created_at: int


@attrs.frozen
class Module:
    """A module that the founder has touched."""

    code: str
    status: str
    output: str | None
    """JSON; None until it is completed."""
    completed_at: int | None


@attrs.frozen
class Offer:
    """An offer of the founder's business."""

    offer_id: str
    name: str
    status: str
    c3_output: str | None
    """JSON."""
    created_at: int
    updated_at: int


@attrs.frozen
class Member:
    """Somebody on the founder's team."""

    name: str
    role: str
    email: str


@attrs.frozen
class Partnership:
    """A partner of the founder's business."""

    name: str
    type: str
    contact: str


@attrs.frozen
class Task:
    """An action of the founder's backlog, open or completed."""

    task_id: str
    """``task_<number>``."""
    module_source: str
    action: str
    category: str | None
    timeframe: str | None
    quadrant: str | None
    assignee: str | None
    deadline: str | None
    """``YYYY-MM-DD``."""
    created_at: int
    updated_at: int
    completed_at: int | None


@attrs.frozen
class Program:
    """A program of the founder's academy."""

    id: int
    name: str
    description: str
    status: str
    created_at: int


# -- what may be written --------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class NewTask:
    """An action to append; also the body of ``POST /tasks``. Raises ValueError.

    An optional field that is ``""`` counts as absent.
    """

    action: str = attrs.field(validator=values.filled(values.MAX_TEXT))
    module_source: str = attrs.field(validator=values.filled(values.MAX_NAME))
    category: str | None = attrs.field(
        default=None,
        converter=values.none_if_empty,
        validator=values.unless_empty(values.one_of(Category)),
    )
    timeframe: str | None = attrs.field(
        default=None,
        converter=values.none_if_empty,
        validator=values.unless_empty(values.one_of(Timeframe)),
    )
    quadrant: str | None = attrs.field(
        default=None,
        converter=values.none_if_empty,
        validator=values.unless_empty(values.one_of(Quadrant)),
    )
    assignee: str | None = attrs.field(
        default=None,
        converter=values.none_if_empty,
        validator=values.unless_empty(values.filled(values.MAX_NAME)),
    )
    deadline: str | None = attrs.field(
        default=None,
        converter=values.none_if_empty,
        validator=values.unless_empty(values.day),
    )


@attrs.frozen(kw_only=True)
class NewMember:
    """Somebody to add to the team; also the body of ``POST /team``. Raises ValueError."""

    name: str = attrs.field(validator=values.filled(values.MAX_NAME))
    role: str | None = attrs.field(
        default="",
        converter=values.empty_if_none,
        validator=values.unless_empty(values.filled(values.MAX_NAME)),
    )
    email: str | None = attrs.field(
        default="",
        converter=values.empty_if_none,
        validator=values.unless_empty(values.email),
    )


# -- refusals -------------------------------------------------------------------------------------


class ModuleNotCompletedError(RefusedError):
    """The founder has not completed that module: it has no output."""

    code = "not_found"


class TaskNotFoundError(RefusedError):
    """The account has no such task."""

    code = "not_found"


class TaskCompletedError(RefusedError):
    """What is done can't be changed or done again."""

    code = "task_completed"
