"""Moving house: whatever comes in between, there is one ledger at most."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quatrain import Client
from quatrain.errors import ConfigError
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.local import LocalPlatform
from quatrain.server.store import PostgresURL, SqliteStore, StoreUnavailableError, store_on
from quatrain.server.store.moving.copy_source import reopen
from quatrain.server.store.sqlite.files import DatabaseFile
from tests._postgres import PostgresServer
from tests._require import import_for

from .._support import as_argument, granted, make_realm
from ._house import change, content, is_empty

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")

from quatrain.server.store.moving import copy_target, copying, moved  # noqa: E402  the driver
from quatrain.server.store.moving.copying import Moved, move  # noqa: E402

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3]
FOREVER = 60.0
"""Seconds for what must happen, however slow the machine is."""


def test_a_damaged_file(source: Path, target: PostgresURL) -> None:
    """Nothing of it is copied."""
    with source.open("r+b") as file:
        file.seek(2 * 4_096)
        file.write(os.urandom(30 * 4_096))
    with pytest.raises(ConfigError, match=f"{source} can't be used: "):
        move(source, target)
    assert is_empty(target)


@pytest.mark.parametrize("who", ["platform", "shell", "writer", "turn"])
def test_a_file_in_use(source: Path, target: PostgresURL, who: str) -> None:
    """It is refused while anybody has it open, and serves on."""
    if who == "platform":
        with LocalPlatform(source) as platform:
            platform.keys.list()
            with pytest.raises(ConfigError, match="is in use: stop the platform"):
                move(source, target)
            platform.keys.create(name="later")
    elif who == "turn":
        with (
            DatabaseFile(source).locked(),
            pytest.raises(ConfigError, match="is in use: stop the platform"),
        ):
            move(source, target)
    else:
        connection = sqlite3.connect(source)
        connection.execute("BEGIN IMMEDIATE" if who == "writer" else "SELECT * FROM facts")
        with pytest.raises(ConfigError, match="is in use: stop the platform"):
            move(source, target)
        connection.close()
    assert is_empty(target)


def test_who_comes_meanwhile_waits(
    source: Path, target: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is refused then: a platform that begins while the database is copied."""
    monkeypatch.setattr(copying, "_EVERY", 1)
    begun: list[subprocess.Popen[str]] = []

    def begin(*_: int) -> None:
        if not begun:
            command = [sys.executable, "-m", "quatrain.cli", "migrate", "--database", str(source)]
            begun.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))

    move(source, target, on_progress=begin)
    _, errors = begun[0].communicate(timeout=FOREVER)
    assert 1 == begun[0].returncode
    assert f"this database was moved to {target}: use that one" in errors


def test_what_was_moved_is_closed(source: Path, target: PostgresURL) -> None:
    """Nobody serves it, and no program of an older version changes it; it can still be read."""
    move(source, target)
    with pytest.raises(ConfigError, match=f"was moved to {target}: use that one"):
        store_on(source).open()
    with pytest.raises(ConfigError, match="was moved"), Client.local(source) as q:
        q.verity.effects.list()
    connection = sqlite3.connect(source)
    tables = [
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
    ]
    for table in set(tables) - {"facts"}:
        with pytest.raises(sqlite3.IntegrityError, match="the database was moved"):
            connection.execute(f"INSERT INTO {table} DEFAULT VALUES")
        if connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
            for change in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
                with pytest.raises(sqlite3.IntegrityError, match="the database was moved"):
                    connection.execute(change)
    assert (4,) == connection.execute("SELECT count(*) FROM effects").fetchone()
    connection.close()


async def test_who_still_has_it_open(source: Path) -> None:
    """They are told that they can't go on: a store is not asked for the mark again and again."""
    with SqliteStore(source) as store:
        ledger = Ledger(store)
        holder, _ = await granted(ledger, EffectId(1, "shop", "late"))
        connection = sqlite3.connect(source, isolation_level=None)
        connection.execute("BEGIN")
        moved.close(connection, moved.Mark("elsewhere", "1/2/3", 1, "token", ended=True))
        connection.execute("COMMIT")
        connection.close()
        with pytest.raises(StoreUnavailableError, match="was moved: nothing in it may be changed"):
            await ledger.commit(holder, result="1")
        with pytest.raises(StoreUnavailableError, match="was moved"):
            await store.probe()


def test_moving_twice(source: Path, target: PostgresURL, postgres: PostgresServer) -> None:
    """To the same place is done already; to another one is refused, as is a place that lost it."""
    move(source, target)
    with store_on(target) as store:
        make_realm(store, "new", "test")
    assert Moved(0, 0, already=True) == move(source, target)
    other = PostgresURL.of(postgres.url(postgres.create()))
    with pytest.raises(ConfigError, match=f"was moved to {target}"):
        move(source, other)
    assert is_empty(other)
    postgres.drop(str(other).rpartition("/")[2])
    name = str(target).rpartition("/")[2]
    postgres.drop(name)
    postgres.execute(f"CREATE DATABASE {name}")
    with pytest.raises(ConfigError, match="is not there any more: what the ledger did"):
        move(source, target)
    assert is_empty(target)


def test_reopening(source: Path, target: PostgresURL) -> None:
    """Whoever knows that the other one is not used may go on with the file."""
    with pytest.raises(ConfigError, match="was not moved"):
        reopen(source)
    before = content(source)
    move(source, target)
    assert str(target) == reopen(source)
    assert before == content(source)
    change(source, "INSERT INTO facts VALUES ('moved', 'by another version')")
    for use in (reopen, lambda database: store_on(database).open()):
        with pytest.raises(ConfigError, match="has a mark that this quatrain does not know"):
            use(source)
    change(source, "DELETE FROM facts WHERE name = 'moved'")
    with Client.local(source, namespace="shop") as q:
        assert "again" == q.verity.protect("more", act=lambda: "again")


@pytest.mark.parametrize("place", ["copying", "marked", "committed"])
def test_killed(source: Path, target: PostgresURL, place: str) -> None:
    """Wherever that is, there is one ledger at most, and the same command ends it."""
    before = content(source)
    command = [sys.executable, "-m", f"{__package__}._mover", str(source), place]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "QUATRAIN_DATABASE": as_argument(target)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as mover:
        assert mover.stdout is not None
        assert b"here\n" == mover.stdout.readline()
        mover.kill()
        mover.wait(FOREVER)
    if place == "copying":
        assert is_empty(target)
        assert before == content(source)
        with store_on(source):
            pass
    else:
        assert (place == "marked") == is_empty(target)
        with pytest.raises(ConfigError, match="or that was interrupted: run the same"):
            store_on(source).open()
        elsewhere = PostgresURL.of(f"{as_argument(target)}_2")
        with pytest.raises(ConfigError, match=f"is being moved to {target}, or that was"):
            move(source, elsewhere)
    assert (place == "committed") == move(source, target).already
    with store_on(target) as store:
        count = store.read_blocking(
            lambda c, _now, _: c.execute("SELECT count(*) FROM effects").fetchone(), None
        )
    assert (4,) == count
    with pytest.raises(ConfigError, match="was moved"):
        store_on(source).open()


def test_an_address_that_looks_the_same(
    source: Path, target: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But is of another schema: an interrupted move goes on in the first one only."""

    def commit(_: Any) -> None:
        raise copy_target.CommitError("not answered")

    with monkeypatch.context() as patch:
        patch.setattr(copy_target, "commit", commit)
        with pytest.raises(ConfigError, match="is not known"):
            move(source, target)
    with psycopg.connect(as_argument(target), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA beside")
    beside = PostgresURL.of(f"{as_argument(target)}?options=-csearch_path%3Dbeside")
    assert str(target) == str(beside)
    with pytest.raises(ConfigError, match="or that was interrupted: run the same"):
        move(source, beside)
    assert not move(source, target).already


def test_a_commit_that_is_not_answered(
    source: Path, target: PostgresURL, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows, and nobody can go on with the file until the same command has found out."""
    real = copy_target.commit

    def commit(connection: Any) -> None:
        pid = connection.raw.info.backend_pid
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
        real(connection)

    with monkeypatch.context() as patch:
        patch.setattr(copy_target, "commit", commit)
        with pytest.raises(ConfigError, match="run the same command again, which finds out"):
            move(source, target)
    assert is_empty(target)
    with pytest.raises(ConfigError, match="run the same"):
        store_on(source).open()
    assert not move(source, target).already


def test_the_mark_shows_no_password(source: Path, postgres: PostgresServer) -> None:
    """It is in a file that people pass on as a backup."""
    name = postgres.create()
    address = postgres.url(name).replace("postgres@", "postgres:hunter2@")
    move(source, PostgresURL.of(address))
    connection = sqlite3.connect(source)
    (text,) = connection.execute("SELECT value FROM facts WHERE name = 'moved'").fetchone()
    connection.close()
    assert f"postgresql://127.0.0.1:{postgres.port}/{name}" == json.loads(text)["to"]
    assert b"hunter2" not in source.read_bytes()
    postgres.drop(name)
