"""The schema: created once, whoever comes first; never by older code over newer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from quatrain.errors import ConfigError
from quatrain.server.store import SqliteStore, migrations, queries

pytestmark = pytest.mark.on_file

_OPEN = """
import sys
from quatrain.server.store import SqliteStore
sys.stdin.readline()  # all at once
with SqliteStore(sys.argv[1]) as store:
    store.write_blocking(lambda c, now, _: c.execute(
        "INSERT INTO realms (tenant, mode) VALUES (?, 'test')", (sys.argv[2],)) and None, None)
"""


def versions(database: Path) -> list[tuple[int, str]]:
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT version, name FROM schema_versions").fetchall()
    connection.close()
    return rows


def test_a_fresh_database_gets_every_step(store: SqliteStore, database: Path) -> None:
    """Numbered from 1, without gaps, named."""
    steps = [(number, name) for number, name, _ in queries.migrations()]
    assert steps == versions(database)
    assert [number for number, _ in steps] == list(range(1, len(steps) + 1))


def test_processes_may_race_for_the_first_step(database: Path) -> None:
    """Each step runs once, and all of them can work."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _OPEN, str(database), str(number)],
            stdin=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    assert [racer.wait(60) for racer in racers] == [0, 0, 0]
    assert len(versions(database)) == migrations.newest()
    connection = sqlite3.connect(database)
    tenants = {tenant for (tenant,) in connection.execute("SELECT tenant FROM realms")}
    connection.close()
    assert tenants == {"0", "1", "2"}


def test_a_newer_database_is_refused_and_left_alone(store: SqliteStore, database: Path) -> None:
    """Its rows may mean something else."""
    store.close()
    connection = sqlite3.connect(database)
    connection.execute("INSERT INTO schema_versions VALUES (99, 'the future')")
    connection.commit()
    connection.close()
    before = versions(database)
    with pytest.raises(ConfigError, match="schema version 99"):
        SqliteStore(database).open()
    assert before == versions(database)


def test_a_step_that_fails_leaves_nothing(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps are one transaction."""
    steps = queries.migrations()
    broken = (*steps, (steps[-1][0] + 1, "broken", ("CREATE TABLE half (id {int64})", "NONSENSE")))
    monkeypatch.setattr(queries, "migrations", lambda: broken)
    with pytest.raises(ConfigError):
        SqliteStore(database).open()
    connection = sqlite3.connect(database)
    tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    connection.close()
    assert tables == []
    monkeypatch.undo()
    with SqliteStore(database):
        assert len(versions(database)) == migrations.newest()


def test_an_older_database_gets_the_missing_steps(
    store: SqliteStore, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And keeps its data."""
    store.close()
    steps = queries.migrations()
    added = (steps[-1][0] + 1, "added", ("ALTER TABLE realms ADD COLUMN note TEXT",))
    monkeypatch.setattr(queries, "migrations", lambda: (*steps, added))
    with SqliteStore(database) as newer:
        newer.write_blocking(
            lambda c, now, _: c.execute("INSERT INTO realms VALUES (1, 't', 'test', 'n')").rowcount,
            None,
        )
    assert versions(database)[-1] == (added[0], "added")
