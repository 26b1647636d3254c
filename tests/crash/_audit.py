"""Whether a database tells one story: every state follows from the effect's audit trail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import attrs

from quatrain.server.store import Connection, PostgresURL, store_on


@attrs.frozen
class Record:
    """An effect as the file has it."""

    key: str
    status: str
    fence_token: int
    source: str | None
    result: str | None
    events: tuple[tuple[str, int], ...]


_TABLES = "SELECT name FROM sqlite_master WHERE name = 'effects'"
_EFFECTS = "SELECT id, effect_key, status, fence_token, source, result FROM effects ORDER BY id"
_EVENTS = "SELECT type, fence_token, at FROM effect_events WHERE effect_id = ? ORDER BY seq"

_NEXT = {
    ("NEW", "LEASE_GRANTED"): "RUNNING",
    ("EXPIRED", "LEASE_GRANTED"): "RUNNING",
    ("RESET", "LEASE_GRANTED"): "RUNNING",
    ("RUNNING", "LEASE_RENEWED"): "RUNNING",
    ("RUNNING", "LEASE_EXPIRED"): "EXPIRED",
    ("RUNNING", "COMMITTED"): "COMMITTED",
    ("RUNNING", "FAILED"): "FAILED",
    ("EXPIRED", "RESET"): "RESET",
    ("FAILED", "RESET"): "RESET",
}
"""From a state, by a line of the audit trail, to the next."""


def audit(database: Path | PostgresURL) -> dict[str, Record]:
    """Every effect by its key, from a database that is whole and true to its audit trail."""
    if isinstance(database, PostgresURL):
        with store_on(database) as store:
            return store.read_blocking(lambda connection, _now, _: _records(connection), None)
    connection = sqlite3.connect(database)
    try:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
        if not connection.execute(_TABLES).fetchall():
            return {}
        return _records(connection)
    finally:
        connection.close()


def _records(connection: Connection) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for effect_id, key, *facts in connection.execute(_EFFECTS).fetchall():
        events = connection.execute(_EVENTS, (effect_id,)).fetchall()
        times = [at for _, _, at in events]
        assert sorted(times) == times, key
        records[key] = Record(key, *facts, tuple((kind, fence) for kind, fence, _ in events))
        assert (records[key].status, records[key].fence_token) == _told_by(records[key]), key
    return records


def _told_by(record: Record) -> tuple[str, int]:
    """The state and the fence token that the audit trail leads to."""
    state, newest = "NEW", 0
    for kind, fence in record.events:
        newest += kind == "LEASE_GRANTED"
        assert newest == fence, (record.key, kind)
        if not kind.startswith("OBSERVE_"):
            state = _NEXT[state, kind]
    return state, newest
