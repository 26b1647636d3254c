"""Many changes of the ledger in a few statements, for a database that is a trip away.

The statements are those of ``operations``, with a table of what is given in the place of one
effect's parameters: an effect is judged by the same words, whoever else is in the batch. Its line
of audit is written by the same statement, as ``operations`` would have written it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from quatrain.server.store import Connection, Operation, SwiftConnection, in_one, queries, together

from . import operations
from .operations import Params
from .records import EventType, Renewed, Settled

_SQL: Final = queries.load("effects")
_MANY: Final = queries.load("effects_together")
_TYPES: Final = {
    "realm_id": "bigint",
    "fence_token": "bigint",
    "lease_duration_ms": "bigint",
    "extension_ms": "bigint",
    "lease_token_hash": "bytea",
}
"""Of what is given; the rest is text."""
_PARAMETER: Final = re.compile(r":(\w+)")
_VALUES: Final = re.compile(r"VALUES \((.*?)\n\)\nON CONFLICT", re.DOTALL)
_LARGE: Final = 65_536
"""Characters of a payload from which an effect is changed by itself: a batch is kept in memory."""


@attrs.frozen
class _Kind:
    """Operations of one kind."""

    statement: str
    payload: str
    """The parameter that may be large."""
    answer: Callable[[tuple[Any, ...], Params], Any]
    """From what the statement says of an effect that it has changed."""
    refuse: Callable[[Connection, Params], Any]
    """Why it has not changed one."""


def _iso_time(column: str) -> str:
    """As ``times.iso_time`` writes it."""
    seconds = f"to_timestamp({column} / 1000) AT TIME ZONE 'UTC'"
    milliseconds = f"lpad(({column} % 1000)::text, 3, '0')"
    return f"to_char({seconds}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || '.' || {milliseconds} || 'Z'"


def _statement(name: str, lines: str, **told: str) -> str:
    """For many what the statement *name* does for one; *lines* and *told* are for the audit."""
    of_one = _SQL[name].strip()
    names = sorted({*_PARAMETER.findall(of_one), "run_id", "detail"} - {"now"})
    change = of_one.replace(":now", "(SELECT now FROM clock)")
    change = _PARAMETER.sub(r"given_\1", change)
    change, inserts = _VALUES.subn(r"SELECT\1\nFROM given\nON CONFLICT", change)
    if not inserts:
        change = change.replace("\nWHERE", "\nFROM given\nWHERE", 1)
    return _MANY["change"].format(
        names=", ".join(f"given_{each}" for each in names),
        columns=", ".join(f"{each} {_TYPES.get(each, 'text')}" for each in names),
        change=change,
        lines=lines,
        answer=of_one.rpartition("RETURNING ")[2],
        **{"run": "effects.run_id", "detail": "NULL", **told},
    )


def _settling(name: str, status: EventType, payload: str) -> _Kind:
    statement = _statement(
        name,
        _MANY["line"].format(event=status.value, detail="told_detail"),
        run="coalesce(nullif(given_run_id, ''), effects.run_id)",
        detail="given_detail",
    )
    return _Kind(
        statement,
        payload,
        lambda row, params: Settled(row[0], params["fence_token"], repeated=False),
        lambda connection, params: operations.not_settled(connection, params, status.value),
    )


_KINDS: Final[dict[Operation, _Kind]] = {
    operations.lease: _Kind(
        _statement(
            "lease",
            _MANY["lines_of_lease"].format(
                until=_iso_time("lease_expires_at"), ended=_iso_time("prior_expires_at")
            ),
        ),
        "input_json",
        lambda row, _: operations.granted_by(row),
        operations.not_granted,
    ),
    operations.renew: _Kind(
        _statement(
            "renew",
            _MANY["line"].format(
                event=EventType.LEASE_RENEWED.value,
                detail=f"""'{{"leaseExpiresAt": "' || {_iso_time("lease_expires_at")} || '"}}'""",
            ),
        ),
        "",
        lambda row, _: Renewed(row[-1]),
        operations.not_renewed,
    ),
    operations.commit: _settling("commit", EventType.COMMITTED, "result"),
    operations.fail: _settling("fail", EventType.FAILED, "error"),
}

_LEASE: Final = _KINDS[operations.lease]


# -- a batch --------------------------------------------------------------------------------------

_Work: TypeAlias = list[tuple[Operation, Params]]


@together(
    operations.lease,
    operations.renew,
    operations.commit,
    operations.fail,
    operations.report_observe,
    operations.reset,
    operations.resolve,
    operations.release,
)
def changes(connection: Connection, now: int, work: _Work) -> list[Any]:
    """Do all of it; see ``quatrain.server.store.together``."""
    waves = _waves(work)
    if len(waves[0]) > 1 and {_kind_of(*work[each]) for each in waves[0]} != {_LEASE}:
        # one statement of leases grants them in their order; an UPDATE of many has none
        places = [
            {name: work[each][1][name] for name in ("realm_id", "namespace", "effect_key")}
            for each in waves[0]
        ]
        connection.execute(_MANY["lock"], {"given": _as_json(places)})
    answers: list[Any] = [None] * len(work)
    for wave in waves:
        alike: dict[_Kind | None, list[int]] = {}
        for each in wave:
            alike.setdefault(_kind_of(*work[each]), []).append(each)
        for kind, which in alike.items():
            if kind is None:
                for each in which:
                    operation, params = work[each]
                    answers[each] = operation(connection, now, params)
            else:
                params_of = [work[each][1] for each in which]
                for each, answer in zip(
                    which, _done(connection, now, kind, params_of), strict=True
                ):
                    answers[each] = answer
    return answers


def _waves(work: _Work) -> list[list[int]]:
    """Whose turn it is: of each effect the first operation, then of each the second, and so on."""
    waves: list[list[int]] = []
    before, turn = None, 0
    for number, (_, params) in enumerate(work):
        place = operations.place(params)
        turn = turn + 1 if place == before else 0
        before = place
        if turn == len(waves):
            waves.append([])
        waves[turn].append(number)
    return waves


@in_one(*_KINDS)
def change(
    connection: SwiftConnection, now: int | None, work: tuple[Operation, Params]
) -> tuple[int, Any] | None:
    """Do one in one statement; see ``quatrain.server.store.in_one``."""
    operation, params = work
    kind = _kind_of(operation, params)
    if kind is None:
        return None
    rows = connection.execute_alone(kind.statement, {"given": _as_json([params]), "now": now})
    return (rows[0][0], kind.answer(rows[0][4:], params)) if rows else None


def _kind_of(operation: Operation, params: Params) -> _Kind | None:
    kind = _KINDS.get(operation)
    return None if kind is None or len(params.get(kind.payload) or "") > _LARGE else kind


def _done(connection: Connection, now: int, kind: _Kind, many: list[Params]) -> list[Any]:
    rows = connection.execute(kind.statement, {"given": _as_json(many), "now": now}).fetchall()
    changed = {row[1:4]: row[4:] for row in rows}
    answers = []
    for params in many:
        row = changed.get(operations.place(params))
        answers.append(kind.refuse(connection, params) if row is None else kind.answer(row, params))
    return answers


def _as_json(many: list[Params]) -> str:
    return json.dumps(many, ensure_ascii=False, separators=(",", ":"), default=_bytes)


def _bytes(value: bytes) -> str:
    """As PostgreSQL reads them."""
    return f"\\x{value.hex()}"
