"""A copy of a database in use is of one moment, whole, private, and never half there."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from quatrain.errors import ConfigError
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import SqliteStore
from quatrain.server.store.sqlite import backup as backup_module
from quatrain.server.store.sqlite.backup import backup

from ._support import audited, granted

pytestmark = pytest.mark.on_file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "safe").mkdir()
    return tmp_path / "safe" / "copy.db"


async def test_a_copy_is_a_database(
    store: SqliteStore, ledger: Ledger, realm: int, database: Path, target: Path
) -> None:
    """Alone in its directory, for its owner only; a platform goes on from it."""
    holder, _ = await granted(ledger, EffectId(realm, "ns", "k"))
    size = backup(database, target)
    await ledger.commit(holder, result="1")

    assert [target] == list(target.parent.iterdir())
    assert (size, 0o600) == (target.stat().st_size, stat.S_IMODE(target.stat().st_mode))
    with SqliteStore(target, now_ms=store.now_ms) as copied:
        again = Ledger(copied)
        assert "RUNNING" == (await again.get(holder.effect)).status
        await again.commit(holder, result="2")
        assert [] == await audited(again, realm)


async def test_it_is_of_one_moment(
    store: SqliteStore,
    ledger: Ledger,
    realm: int,
    database: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is written while it is copied is not in it, and does not make it begin again."""
    monkeypatch.setattr(backup_module, "_PAGES", 8)
    for number in range(20):
        await granted(ledger, EffectId(realm, "ns", f"before {number}"), input_json='"x"' * 3_000)
    steps: list[tuple[int, int]] = []

    def write(done: int, total: int) -> None:
        statement = (
            "INSERT INTO effects (realm_id, namespace, effect_key, status, fence_token,"
            " lease_token_hash, lease_duration_ms, lease_expires_at, created_at, updated_at)"
            " VALUES (?, 'ns', ?, 'RUNNING', 1, x'00', 1, 1, 1, 1)"
        )
        store.write_blocking(
            lambda c, now, _: c.execute(statement, (realm, f"during {len(steps)}")).rowcount, None
        )
        steps.append((done, total))

    backup(database, target, on_progress=write)
    connection = sqlite3.connect(target)
    keys = [key for (key,) in connection.execute("SELECT effect_key FROM effects ORDER BY id")]
    connection.close()

    assert 3 < len(steps) == -(-steps[-1][1] // 8)
    assert [f"before {number}" for number in range(20)] == keys
    assert 1 == len({total for _, total in steps})


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_there_is_left(store: SqliteStore, database: Path, target: Path, kind: str) -> None:
    """Unless it may be replaced; a link that leads nowhere counts as well."""
    if kind == "file":
        target.write_text("precious")
    else:
        target.symlink_to("nowhere")
    with pytest.raises(ConfigError, match="is there already"):
        backup(database, target)
    assert [target] == list(target.parent.iterdir())
    backup(database, target, replace=True)
    assert target.read_bytes().startswith(b"SQLite format 3")
    assert not target.is_symlink()


def test_somebody_who_is_quicker(store: SqliteStore, database: Path, target: Path) -> None:
    """Their file is left, too."""

    def appear(_: int, __: int) -> None:
        target.write_text("precious")

    with pytest.raises(ConfigError, match="is there already"):
        backup(database, target, on_progress=appear)
    assert "precious" == target.read_text()
    assert [target] == list(target.parent.iterdir())


def test_the_database_itself(store: SqliteStore, database: Path, tmp_path: Path) -> None:
    """It is not replaced, by whatever name."""
    (tmp_path / "other").symlink_to(database)
    for name in (database, tmp_path / "other"):
        with pytest.raises(ConfigError, match="is the database itself"):
            backup(database, name, replace=True)


def test_a_disk_without_the_room(
    store: SqliteStore, database: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before anything is written."""
    usage = type("Usage", (), {"free": 1_024})
    monkeypatch.setattr(backup_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ConfigError, match="KiB, and its disk has 1 left"):
        backup(database, target)
    assert [] == list(target.parent.iterdir())


def test_a_damaged_database(store: SqliteStore, database: Path, target: Path) -> None:
    """A copy of it would only be found out on the day that it is needed."""
    store.close()
    with database.open("r+b") as file:
        file.seek(3 * 4_096)
        file.write(os.urandom(8 * 4_096))
    with pytest.raises(ConfigError, match=r"is not whole|can't be copied"):
        backup(database, target)
    assert [] == list(target.parent.iterdir())


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1_000, None])
def test_what_is_no_database_of_ours(tmp_path: Path, target: Path, content: Any) -> None:
    """Empty, no database at all, or another program's."""
    source = tmp_path / "other.db"
    if content is None:
        connection = sqlite3.connect(source)
        connection.execute("CREATE TABLE mine (x)")
        connection.close()
    else:
        source.write_bytes(content)
    with pytest.raises(ConfigError, match=r"not a quatrain database|copied: file is not"):
        backup(source, target)
    assert [] == list(target.parent.iterdir())


def test_a_directory_that_is_not_there(store: SqliteStore, database: Path, tmp_path: Path) -> None:
    """One clear error."""
    with pytest.raises(ConfigError, match="can't be written: No such file"):
        backup(database, tmp_path / "missing" / "copy.db")


def test_what_is_interrupted_leaves_nothing(
    store: SqliteStore, database: Path, target: Path
) -> None:
    """Ctrl-C included."""

    def interrupt(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(database, target, on_progress=interrupt)
    assert [] == list(target.parent.iterdir())
