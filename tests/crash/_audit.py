"""Whether a database tells one story: every state follows from the effect's audit trail."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import attrs


@attrs.frozen
class Record:
    """An effect as the file has it."""

    key: str
    status: str
    fence_token: int
    source: str | None
    result: str | None
    events: tuple[tuple[str, int], ...]


_EFFECTS = "SELECT id, effect_key, status, fence_token, source, result FROM effects ORDER BY id"
_EVENTS = "SELECT type, fence_token, at FROM effect_events WHERE effect_id = ? ORDER BY seq"


def audit(database: Path) -> dict[str, Record]:
    """Every effect by its key, from a file that is whole and true to its audit trail."""
    connection = sqlite3.connect(database)
    try:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
        records: dict[str, Record] = {}
        for effect_id, key, *facts in connection.execute(_EFFECTS).fetchall():
            events = connection.execute(_EVENTS, (effect_id,)).fetchall()
            times = [at for _, _, at in events]
            assert sorted(times) == times
            record = Record(key, *facts, tuple((kind, fence) for kind, fence, _ in events))
            _check(record)
            records[key] = record
    finally:
        connection.close()
    return records


def _check(record: Record) -> None:
    """The trail is: granted 1, expired 1, granted 2, …; and committed, if it is, at the end."""
    story = [event for event in record.events if event[0] in _OF_THE_STATE]
    lives = [[("LEASE_GRANTED", n), ("LEASE_EXPIRED", n)] for n in range(1, record.fence_token)]
    newest = [("LEASE_GRANTED", record.fence_token)]
    if record.status == "COMMITTED":
        newest.append(("COMMITTED", record.fence_token))
    assert [*itertools.chain(*lives), *newest] == story, record.key
    looked = {fence for kind, fence in record.events if kind.startswith("OBSERVE_")}
    assert looked <= set(range(2, record.fence_token + 1)), record.key


_OF_THE_STATE = {"LEASE_GRANTED", "LEASE_EXPIRED", "COMMITTED", "FAILED", "RESET"}
