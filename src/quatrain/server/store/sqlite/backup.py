"""A copy of a database that is in use, as it was at one moment, and known to be whole.

SQLite's own backup reads the pages; a read transaction around it keeps them those of one moment,
however much is written meanwhile. Nobody waits for it; only the write-ahead log grows until it is
done. The copy gets its name when it has been checked and is on the disk: it is never half there.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from quatrain.errors import ConfigError

from .. import migrations

_PAGES: Final = 4_096
"""Pages that are copied between two looks at the progress: 16 MiB."""


def backup(
    source: Path,
    target: Path,
    *,
    replace: bool = False,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> int:
    """Copy the database *source* to the file *target*, which only its owner may read.

    Answers its size in bytes. *on_progress* is called with the pages that are copied and the pages
    there are. Raises ConfigError for a source that is no quatrain database, a target that is there
    already (unless it may be *replaced*), a disk without the room, and a copy that is not whole.
    """
    if not replace and os.path.lexists(target):
        raise ConfigError(f"{target} is there already")
    if target.exists() and source.samefile(target):
        raise ConfigError(f"{target} is the database itself")
    draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        _check_room(source, target)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            _copy(source, draft, on_progress)
            _check(draft)
            _sync(draft)
            size = draft.stat().st_size
            if replace:
                draft.replace(target)
            else:
                os.link(draft, target)  # which fails when somebody was quicker
        finally:
            for end in ("", "-journal"):
                draft.with_name(f"{draft.name}{end}").unlink(missing_ok=True)
        _sync(target.absolute().parent)
    except FileExistsError:
        raise ConfigError(f"{target} is there already") from None
    except OSError as exc:
        raise ConfigError(f"{target} can't be written: {exc.strerror or exc}") from exc
    except sqlite3.Error as exc:
        raise ConfigError(f"{source} can't be copied: {exc}") from exc
    return size


def _check_room(source: Path, target: Path) -> None:
    needed = source.stat().st_size
    left = shutil.disk_usage(target.absolute().parent).free
    if needed > left:
        raise ConfigError(
            f"{target} would need {needed // 1024:,} KiB, and its disk has {left // 1024:,} left"
        )


def _copy(source: Path, draft: Path, on_progress: Callable[[int, int], object]) -> None:
    origin = sqlite3.connect(
        f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None
    )
    copy = sqlite3.connect(draft, isolation_level=None)
    try:
        origin.execute("PRAGMA busy_timeout = 10000")
        origin.execute("PRAGMA query_only = ON")
        origin.execute("BEGIN")
        if not origin.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'schema_versions'"
        ).fetchone()[0]:
            raise ConfigError(f"{source} is not a quatrain database")
        origin.backup(
            copy,
            pages=_PAGES,
            progress=lambda _, left, total: on_progress(total - left, total),
        )
        # one file: the copy has no log beside it that could be forgotten
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
        origin.close()


def _check(draft: Path) -> None:
    connection = sqlite3.connect(f"{draft.absolute().as_uri()}?mode=ro", uri=True)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        migrations.version_of(connection)
    finally:
        connection.close()
    if verdict != "ok" or broken is not None:
        reason = verdict if verdict != "ok" else f"a row of {broken[0]} belongs to none"
        raise ConfigError(f"the copy is not whole, and neither is the database: {reason}")


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
