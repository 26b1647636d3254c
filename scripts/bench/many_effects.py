"""A ledger with very many effects, as ledgers are: nearly all done, over four days.

What few effects are like is what is asked for: two in all of them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg

from quatrain.server.store import Connection

DAYS: Final = 4
_EFFECTS: Final = (
    *("id", "realm_id", "namespace", "effect_key", "status", "lease_expires_at", "agent_id"),
    *("workflow_name", "case_id", "input_json", "result", "error", "created_at", "updated_at"),
    *("fence_token", "lease_token_hash", "lease_duration_ms"),
)
_EVENTS: Final = ("effect_id", "type", "at", "fence_token", "agent_id", "detail")


def realm(connection: Connection, _now: int, _: None) -> int:
    """An operation of the store: a tenant's realm."""
    statement = "INSERT INTO realms (tenant, mode) VALUES ('acme', 'test') RETURNING id"
    return int(connection.execute(statement).fetchone()[0])


def _effects(many: int, now: int, realm_id: int) -> Iterator[tuple[Any, ...]]:
    spread = DAYS * 86_400_000 // many
    rare = {1_000, many // 2}
    status = {900: "FAILED", many // 3: "FAILED", 901: "RESET", many // 4: "RESET"}
    for number in range(1, many + 1):
        state = status.get(number) or ("RUNNING" if number % 50_000 == 7 else "COMMITTED")
        at = now - (many - number) * spread
        yield (
            number,
            realm_id,
            "rare" if number in rare else "retired" if number < many // 100 else "billing",
            f"refund:order_{number}",
            state,
            now - 1 if state == "RUNNING" else None,
            "rare" if number in rare else f"worker-{number % 40}",
            "rare" if number in rare else "refunds",
            f"case-{number // 10}",
            '{"amount":12.5,"currency":"EUR"}',
            '{"refund_id":"re_77"}' if state == "COMMITTED" else None,
            '{"name":"TimeoutError","message":"no answer"}' if state == "FAILED" else None,
            at,
            at,
            1,
            hashlib.sha256(b"%d" % number).digest(),
            30_000,
        )


def _events(many: int, now: int) -> Iterator[tuple[Any, ...]]:
    for row in _effects(many, now, 0):
        number, state, agent, at = row[0], row[4], row[6], row[12]
        yield number, "LEASE_GRANTED", at, 1, agent, '{"priorState": "none"}'
        if state != "RUNNING":
            yield number, state, at, 1, agent, '{"source": "acted"}'


def fill_file(database: Path, many: int, now: int, realm_id: int) -> None:
    """A file of SQLite's."""
    connection = sqlite3.connect(database)
    with connection:
        for table, columns, rows in _tables(many, now, realm_id):
            places = ", ".join("?" * len(columns))
            names = ", ".join(columns)
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)  # noqa: S608
    connection.close()


def fill_postgres(url: str, many: int, now: int, realm_id: int) -> None:
    """A database of PostgreSQL's, by COPY; its planner knows nothing of it after that."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table, columns, rows in _tables(many, now, realm_id):
            statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
            with cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        cursor.execute("ALTER TABLE effects ALTER COLUMN id RESTART WITH %d" % (many + 1))  # noqa: UP031
    # a COPY's pages are written back behind it: not during what is measured
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _tables(
    many: int, now: int, realm_id: int
) -> list[tuple[str, tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    return [
        ("effects", _EFFECTS, _effects(many, now, realm_id)),
        ("effect_events", _EVENTS, _events(many, now)),
    ]
