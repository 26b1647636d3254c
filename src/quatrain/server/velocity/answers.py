"""What Velocity OS answers. Source: contracts, Velocity OS, "Endpoints"."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

from quatrain.server.answers import Day, Fault, Time

T = TypeVar("T")


class Envelope(TypedDict, Generic[T]):
    """What every success comes in."""

    ok: Literal[True]
    data: T
    extension_id: int
    extension_name: str
    venture_id: str
    sandbox: bool


class User(TypedDict):
    """The founder whom a key acts for."""

    email: str
    name: str
    tier: str
    venture_id: str


class Extension(TypedDict):
    """The extension that a key belongs to."""

    id: int
    name: str
    slug: str
    developer: str
    granted_scopes: list[str]


class Whoami(TypedDict):
    """Whom the key acts for, and the extension it belongs to."""

    user: User
    extension: Extension


class Profile(TypedDict):
    """Free form."""

    profile: Any


class ModuleSummary(TypedDict):
    """A module, without its output."""

    code: str
    status: str
    completed_at: Time | None
    has_output: bool


class Modules(TypedDict):
    """Completed and in progress."""

    modules: list[ModuleSummary]


class Module(TypedDict):
    """A module's output."""

    code: str
    output: Any


class Offer(TypedDict):
    """An offer of the founder's business."""

    id: str
    name: str
    status: str
    created_at: Time
    updated_at: Time
    c3_output: Any


class Offers(TypedDict):
    """All of them."""

    offers: list[Offer]


class Member(TypedDict):
    """Somebody on the team."""

    name: str
    role: str
    email: str


class Team(TypedDict):
    """All of it."""

    team: list[Member]


class Partnership(TypedDict):
    """A partner of the founder's business."""

    name: str
    type: str
    contact: str


class Partnerships(TypedDict):
    """All of them."""

    partnerships: list[Partnership]


class Task(TypedDict):
    """An action, with all seven fields; null where absent."""

    module_source: str
    action: str
    category: str | None
    timeframe: str | None
    quadrant: str | None
    assignee: str | None
    deadline: Day | None


class CompletedTask(TypedDict):
    """An action that is done."""

    id: str
    action: str
    completed_at: Time | None


class Tasks(TypedDict):
    """The backlog, and what is done of it."""

    open: list[Task]
    completed: list[CompletedTask]


class Created(TypedDict, Generic[T]):
    """What was appended."""

    created: T


class Program(TypedDict):
    """A program of the academy."""

    id: int
    name: str
    description: str
    status: str
    created_at: Time


class Programs(TypedDict):
    """None unless the founder is on the academy's tier."""

    programs: list[Program]


class Error(TypedDict):
    """Why a request was refused."""

    code: str
    message: str
    details: NotRequired[list[Fault]]


class Problem(TypedDict):
    """What every error comes in."""

    ok: Literal[False]
    error: Error
    request_id: str
