"""What a tenant has used, counted from what there is."""

from __future__ import annotations

from typing import Any, Final, get_args

from quatrain.server.store import Connection, queries
from quatrain.server.times import iso_time

from . import answers
from .packs import s3_key
from .policy import STRICTEST_FIRST
from .records import AbpState

RUN_STATES: Final = ("queued", "running", "succeeded", "failed", "blocked")

_SQL: Final = queries.load("velerian_usage")


def summary(connection: Connection, now: int, tenant: str) -> answers.UsageSummary:
    """The whole of it: a read of the store, and its answer on the wire."""
    params = {"tenant": tenant, "now": now}
    found = connection.execute(_SQL["outcomes"], params).fetchall()
    outcomes = _counts(STRICTEST_FIRST, [row[:2] for row in found])
    run_states = _counts(RUN_STATES, connection.execute(_SQL["run_states"], params))
    abp_states = _counts(get_args(AbpState), connection.execute(_SQL["abp_states"], params))
    invoked, ran = sum(outcomes.values()), sum(run_states.values())
    return {
        "tenant_id": tenant,
        "as_of": iso_time(now),
        "governed_runs": {
            "total": invoked + ran,
            "invocations": {"total": invoked, **outcomes},
            "network_runs": {"total": ran, **run_states},
            "model_errors": sum(row[2] for row in found),
            "waiting_for_approval": _one(connection, "waiting", params),
        },
        "evidence_packs": _chain(connection, params),
        "adoption": {
            "abps": {"total": sum(abp_states.values()), **abp_states},
            "networks": _one(connection, "networks", params),
            "active_api_keys": _one(connection, "keys", params),
            "users": _one(connection, "users", params),
        },
    }


def packs(connection: Connection, _now: int, params: dict[str, Any]) -> list[answers.Pack]:
    """Some of a tenant's packs, oldest first, as on the wire. *params*: tenant, limit, offset."""
    rows = connection.execute(_SQL["packs"], params)
    return [
        {
            "pack_id": pack_id,
            "sequence": sequence,
            "abp_id": abp_id,
            "subject_id": subject_id,
            "body_hash": body_hash,
            "chain_hash": chain_hash,
            "s3_key": s3_key(params["tenant"], pack_id),
            "created_at": iso_time(created_at),
        }
        for pack_id, sequence, abp_id, subject_id, body_hash, chain_hash, created_at in rows
    ]


def _chain(connection: Connection, params: dict[str, Any]) -> answers.Chain:
    row = connection.execute(_SQL["last_pack"], params).fetchone()
    # they are numbered without a gap
    total, head, at = row or (0, None, None)
    return {
        "total": total,
        "chain_head": head,
        "last_created_at": None if at is None else iso_time(at),
    }


def _one(connection: Connection, statement: str, params: dict[str, Any]) -> int:
    (number,) = connection.execute(_SQL[statement], params).fetchone()
    return int(number)


def _counts(names: tuple[str, ...], rows: Any) -> dict[str, int]:
    found = dict(rows)
    return {name: found.get(name, 0) for name in names}
