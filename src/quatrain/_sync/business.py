# Generated from src/quatrain/_async/business.py by scripts/make_sync.py. Do not edit.
"""A founder's business, one class an endpoint family. Source: contracts, Velocity OS, "Endpoints".

Every method takes ``timeout`` (seconds for each step of a request) and ``max_retries`` for its own
requests, and may raise AuthenticationError, ScopeMissingError, RateLimitError, ServerError,
APIError and TransportError of :mod:`quatrain.velocity`.
"""

from __future__ import annotations

from datetime import date
from typing import Unpack

from .. import _envelope as envelope
from .._options import CallOptions, WriteOptions
from ..errors.velocity import InputError
from ..models.velocity import (
    AcademyProgram,
    Category,
    Listing,
    Module,
    ModuleSummary,
    Offer,
    Partnership,
    Profile,
    Quadrant,
    Task,
    TaskList,
    TeamMember,
    Timeframe,
)
from .extension import ExtensionAPI


class _Resource:
    def __init__(self, api: ExtensionAPI) -> None:
        self._api = api


class ProfileResource(_Resource):
    """``client.profile``."""

    def get(self, **options: Unpack[CallOptions]) -> Profile:
        """The founder's profile, free form. Scope: read:profile."""
        return self._api.get("profile", scope="read:profile", reads=envelope.profile, **options)


class ModulesResource(_Resource):
    """``client.modules``."""

    def list(self, **options: Unpack[CallOptions]) -> Listing[ModuleSummary]:
        """Every module that the founder has touched. Scope: read:modules."""
        reads = envelope.listing("modules", ModuleSummary)
        return self._api.get("modules", scope="read:modules", reads=reads, **options)

    def get(self, code: str, **options: Unpack[CallOptions]) -> Module:
        """A completed module's output; *code* in any case. Scope: read:modules.

        Raises NotFoundError while the module is not completed, InputError for an empty code.
        """
        code = _filled("code", code).upper()
        reads = envelope.whole(Module)
        return self._api.get("modules", code, scope="read:modules", reads=reads, **options)


class OffersResource(_Resource):
    """``client.offers``."""

    def list(self, **options: Unpack[CallOptions]) -> Listing[Offer]:
        """The business's offers. Scope: read:offers."""
        reads = envelope.listing("offers", Offer)
        return self._api.get("offers", scope="read:offers", reads=reads, **options)


class TeamResource(_Resource):
    """``client.team``."""

    def list(self, **options: Unpack[CallOptions]) -> Listing[TeamMember]:
        """Everybody on the team. Scope: read:team."""
        reads = envelope.listing("team", TeamMember)
        return self._api.get("team", scope="read:team", reads=reads, **options)

    def add(
        self, name: str, role: str = "", email: str = "", **options: Unpack[WriteOptions]
    ) -> TeamMember:
        """Add somebody; sends a ``team.added`` webhook. Scope: write:entities.

        Retried with one ``idempotency_key``, which *options* may give; with an ``effect_key`` it is
        an effect that happens once. Raises InputError for an empty name.
        """
        body = {"name": _filled("name", name), "role": role, "email": email}
        reads = envelope.part("created", TeamMember)
        return self._api.post("team", body, scope="write:entities", reads=reads, **options)


class PartnershipsResource(_Resource):
    """``client.partnerships``."""

    def list(self, **options: Unpack[CallOptions]) -> Listing[Partnership]:
        """The business's partners. Scope: read:partnerships."""
        reads = envelope.listing("partnerships", Partnership)
        return self._api.get("partnerships", scope="read:partnerships", reads=reads, **options)


class TasksResource(_Resource):
    """``client.tasks``."""

    def list(self, **options: Unpack[CallOptions]) -> TaskList:
        """The backlog: what is open, and what is completed. Scope: read:tasks."""
        reads = envelope.whole(TaskList)
        return self._api.get("tasks", scope="read:tasks", reads=reads, **options)

    def create(
        self,
        action: str,
        module_source: str,
        *,
        category: Category | str = "",
        timeframe: Timeframe | str = "",
        quadrant: Quadrant | str | None = None,
        assignee: str = "",
        deadline: str | date = "",
        **options: Unpack[WriteOptions],
    ) -> Task:
        """Add an action to the backlog; sends a ``tasks.created`` webhook. Scope: write:tasks.

        *module_source* is the code of the module that it belongs to, *deadline* a date or
        ``YYYY-MM-DD``. The platform enforces the allowed values: ValidationFailedError.

        Retried with one ``idempotency_key``, which *options* may give; with an ``effect_key`` it is
        an effect that happens once. Raises InputError for an empty action or module.
        """
        body = {
            "action": _filled("action", action),
            "module_source": _filled("module_source", module_source),
            "category": category or "",
            "timeframe": timeframe or "",
            "quadrant": quadrant or "",
            "assignee": assignee or "",
            "deadline": f"{deadline:%Y-%m-%d}" if isinstance(deadline, date) else deadline or "",
        }
        reads = envelope.part("created", Task)
        return self._api.post("tasks", body, scope="write:tasks", reads=reads, **options)


class AcademyResource(_Resource):
    """``client.academy``."""

    def programs(self, **options: Unpack[CallOptions]) -> Listing[AcademyProgram]:
        """The programs of the founder's academy; the academy tier has some. Scope: read:academy."""
        reads = envelope.listing("programs", AcademyProgram)
        return self._api.get("academy", "programs", scope="read:academy", reads=reads, **options)


def _filled(name: str, value: str) -> str:
    if not isinstance(value, str) or not value.strip():
        msg = f"{name} has to be a string that is not empty"
        raise InputError(msg)
    return value
