"""Runs of networks: asked for, looked at. ``worker`` executes them, through ``claims``.

A run is queued, then running, then succeeded, failed or blocked, where it stays. Source: contracts,
Velerian, "Governed runs".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

import attrs

from quatrain.server import jsontext
from quatrain.server.idempotency import Once, once
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.randomness import token
from quatrain.server.store import Connection, Store, queries

from . import audit
from .networks import get_network
from .records import Listed, NotThereError

_SQL: Final = queries.load("velerian_runs")


class RunStatus(StrEnum):
    """The wire's words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BLOCKED = "blocked"
    """Its network's policy did not let it run."""


@attrs.frozen
class Run:
    """One run. Times are in milliseconds since 1970."""

    id: int
    tenant: str
    run_id: str
    """``run_…``."""
    network: str
    """A slug."""
    user_id: str
    """Who asked for it."""
    prompt_text: str
    metadata: dict[str, Any] | None
    attachment_ids: list[str] | None
    model_id: str
    status: RunStatus = attrs.field(converter=RunStatus)
    output_text: str | None
    """None as well when it is withheld."""
    governance_pass: bool | None
    """None until the policy has been asked, and when it could not be."""
    governance_reasons: list[str]
    error: str | None
    pack_id: str | None
    attempts: int
    """How often it was begun."""
    claimed_until: int | None
    created_at: int
    started_at: int | None
    finished_at: int | None


COLUMNS: Final = ", ".join(field.name for field in attrs.fields(Run))


class Runs:
    """Every tenant's runs. *wake* tells a worker that there is something to do.

    Raises StoreUnavailableError when the database can't be used.
    """

    def __init__(self, store: Store, *, wake: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._wake = wake

    async def start(
        self,
        tenant: str,
        slug: str,
        *,
        prompt_text: str,
        metadata: dict[str, Any] | None = None,
        attachment_ids: Sequence[str] | None = None,
        user_id: str = "local",
        once: Once | None = None,
    ) -> str:
        """Queue a run of the network *slug*; answers its id.

        Raises NotThereError, and KeyReusedError.
        """
        params = {
            "tenant": tenant,
            "slug": slug,
            "user_id": user_id,
            "prompt_text": prompt_text,
            "metadata": None if metadata is None else jsontext.dump(metadata),
            "attachment_ids": None if attachment_ids is None else jsontext.dump([*attachment_ids]),
            "once": once,
        }
        run_id = accepted(await self._store.write(start_run, params))
        self._wake()
        return run_id

    async def get(self, tenant: str, run_id: str) -> Run:
        """One run; raises NotThereError."""
        return accepted(await self._store.read(get_run, {"tenant": tenant, "run_id": run_id}))

    async def page(self, tenant: str, *, limit: int, offset: int) -> Listed[Run]:
        """Some of a tenant's, newest last."""
        params = {"tenant": tenant, "limit": limit, "offset": offset}
        return await self._store.read(page_of_runs, params)

    async def newest(
        self, tenant: str, *, limit: int, before: int | None = None, status: str | None = None
    ) -> list[Run]:
        """Some of a tenant's, newest first; *before* is the ``id`` of one that is newer than they
        are, *status* the only one that is wanted.
        """
        params = {"tenant": tenant, "limit": limit, "before": before, "status": status}
        return await self._store.read(newest_runs, params)


# -- operations of the store ----------------------------------------------------------------------


def start_run(connection: Connection, now: int, params: dict[str, Any]) -> str | RefusedError:
    """Queue a run. *params*: tenant, slug, user_id, prompt_text, metadata, attachment_ids, once."""

    def perform() -> str | NotThereError:
        network = get_network(connection, now, params)
        if isinstance(network, NotThereError):
            return network
        run_id = f"run_{token()}"
        asked = {"run_id": run_id, "network": network.slug, "model_id": network.model_id}
        connection.execute(_SQL["add_run"], {**params, **asked, "now": now})
        audit.append(
            connection,
            now,
            params["tenant"],
            actor=params["user_id"],
            action="network.invoke",
            resource_kind="network",
            resource_id=network.slug,
            detail={"run_id": run_id},
        )
        return jsontext.dump(run_id)

    answer = once(connection, now, params["once"], perform)
    return answer if isinstance(answer, RefusedError) else str(json.loads(answer))


def get_run(connection: Connection, _now: int, params: dict[str, Any]) -> Run | NotThereError:
    """One run. *params*: tenant, run_id."""
    row = connection.execute(_SQL["get_run"].format(columns=COLUMNS), params).fetchone()
    return NotThereError("there is no such run") if row is None else run_of(row)


def page_of_runs(connection: Connection, _now: int, params: dict[str, Any]) -> Listed[Run]:
    """Some of a tenant's runs, oldest first. *params*: tenant, limit, offset."""
    (total,) = connection.execute(_SQL["count_runs"], params).fetchone()
    rows = connection.execute(_SQL["page_of_runs"].format(columns=COLUMNS), params)
    return Listed([run_of(row) for row in rows], total)


def newest_runs(connection: Connection, _now: int, params: dict[str, Any]) -> list[Run]:
    """Some of a tenant's runs, newest first. *params*: tenant, limit, before, status."""
    conditions = {"id < :before": params["before"], "status = :status": params["status"]}
    filters = "".join(f" AND {text}" for text, value in conditions.items() if value is not None)
    statement = _SQL["newest_runs"].format(columns=COLUMNS, filters=filters)
    return [run_of(row) for row in connection.execute(statement, params)]


def run_of(row: tuple[Any, ...]) -> Run:
    """A row of the table as a record."""
    values = dict(zip(attrs.fields_dict(Run), row, strict=True))
    for name in ("metadata", "attachment_ids", "governance_reasons"):
        values[name] = None if values[name] is None else json.loads(values[name])
    passed = values["governance_pass"]
    values["governance_pass"] = None if passed is None else bool(passed)
    values["governance_reasons"] = values["governance_reasons"] or []
    return Run(**values)
