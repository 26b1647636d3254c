"""The server's side of ``quatrain doctor``: a database file, looked at and not changed."""

from __future__ import annotations

import os
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from quatrain.errors import ConfigError
from quatrain.server.store import migrations
from quatrain.server.store.moving import moved

from .checkup import Finding, Level
from .checkup_key import secret_key

__all__ = ["database"]

ENOUGH: Final = 256 * 1024 * 1024
"""Bytes that should be left on the disk."""
LARGE_LOG: Final = 256 * 1024 * 1024
"""Bytes; four times what SQLite leaves when nobody holds it up."""
CHECKED: Final = 2 * 1024 * 1024 * 1024
"""Bytes of a file up to which all of it is read."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def database(path: Path) -> Iterator[Finding]:
    """Everything about the file *path*, from outside to inside."""
    looks = _Looks(path.absolute())
    found = list(looks.file())
    yield from found
    if any(finding.level is Level.ERROR for finding in found):
        return
    yield from looks.inside()


@attrs.frozen
class _Looks:
    """Looks at one database."""

    path: Path

    def file(self) -> Iterator[Finding]:
        """What can be seen without opening it."""
        quoted = shlex.quote(str(self.path))
        try:
            found = self.path.stat()
        except OSError as exc:
            fix = f"`quatrain serve --database {quoted}` makes one, in a directory that exists"
            yield _error(f"{self.path} can't be looked at: {exc.strerror or exc}", fix)
            return
        if not stat.S_ISREG(found.st_mode):
            yield _error(f"{self.path} is no plain file", "name the database's file")
            return
        yield _ok(f"{self.path}, {found.st_size // 1024:,} KiB")
        open_to_others = [each for each in self._files() if each.stat().st_mode & _OTHERS]
        if open_to_others:
            names = " ".join(shlex.quote(str(each)) for each in open_to_others)
            what = "others than its owner may read or change the database"
            yield Finding("database", Level.WARNING, what, f"`chmod 600 {names}`")
        if not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)):
            what = "this user may not write the file, or not in its directory"
            fix = f"run the platform as who owns both, or `chown` {quoted} and its directory"
            yield _error(what, fix)
        yield from self._room()

    def _files(self) -> list[Path]:
        names = (f"{self.path.name}{end}" for end in ("", "-wal", "-shm"))
        return [each for each in map(self.path.with_name, names) if each.exists()]

    def _room(self) -> Iterator[Finding]:
        found = os.statvfs(self.path.parent)
        left = found.f_bavail * found.f_frsize
        if left < ENOUGH:
            what = f"the disk has {left // 1024:,} KiB left"
            yield _error(what, "make room, or move the database with `quatrain backup`")
        else:
            yield _ok(f"the disk has {left // 1024**2:,} MiB left")
        log = self.path.with_name(f"{self.path.name}-wal")
        size = log.stat().st_size if log.exists() else 0
        if size > LARGE_LOG:
            what = f"the write-ahead log has grown to {size // 1024**2:,} MiB"
            fix = "end what keeps on reading an old state (a shell with a transaction, a backup)"
            yield Finding("database", Level.WARNING, what, fix)

    def inside(self) -> Iterator[Finding]:
        """What the database says of itself."""
        try:
            connection = sqlite3.connect(f"{self.path.as_uri()}?mode=rw", uri=True)
            try:
                connection.execute("PRAGMA query_only = ON")
                yield from self._schema(connection)
                yield from self._whole(connection)
                yield from self._secret_key(connection)
            finally:
                connection.close()
        except ConfigError as exc:  # its mark
            yield _error(str(exc), "use the database that it was moved to")
        except sqlite3.Error as exc:
            fix = "give the file of a platform, or put the last backup in its place"
            yield _error(f"it can't be read as a database: {exc}", fix)

    def _schema(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        (ours,) = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'schema_versions'"
        ).fetchone()
        if not ours:
            yield _error("it is not a quatrain database", "give the file of a platform")
            return
        version, newest = migrations.version_of(connection), migrations.newest()
        if version > newest:
            what = f"its schema has version {version}, and this quatrain knows up to {newest}"
            yield _error(what, "install the newer quatrain that wrote it")
        elif version < newest:
            what = f"its schema has version {version}, and this quatrain works with {newest}"
            fix = "back it up; the next `quatrain serve` brings it up to date"
            yield Finding("database", Level.WARNING, what, fix)
        else:
            yield _ok(f"its schema has version {version}, the newest")
        if version >= moved.SINCE and (mark := moved.Mark.of(connection)) is not None:
            what = f"it was moved to {mark.to}, and can't be served or changed any more"
            yield _error(what, "use that one; if moving was interrupted, do it again")
            return
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal":
            what = f"its journal mode is {mode}: readers and writers wait for each other"
            fix = "the next `quatrain serve` sets it to wal; do not change it while it is served"
            yield Finding("database", Level.WARNING, what, fix)

    def _whole(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        if self.path.stat().st_size > CHECKED:
            yield _ok("it is too large to read all of it here; a backup is checked")
            return
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict == "ok":
            yield _ok("all of it can be read")
        else:
            fix = "stop the platform, keep the file, and put the last backup in its place"
            yield _error(f"it is damaged: {verdict}", fix)

    def _secret_key(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        try:
            rows = connection.execute("SELECT access FROM vendo_tokens").fetchall()
        except sqlite3.OperationalError:  # of an older schema
            return
        yield from secret_key([sealed for (sealed,) in rows], self.path)


def _ok(what: str) -> Finding:
    return Finding("database", Level.OK, what)


def _error(what: str, fix: str) -> Finding:
    return Finding("database", Level.ERROR, what, fix)
