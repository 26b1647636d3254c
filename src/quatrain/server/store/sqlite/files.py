"""The database file: where it is, how it is opened, and whether it still is the same file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from quatrain.errors import ConfigError

from ..errors import StoreUnavailableError, of_environment
from ..migrations import migrate

BUSY_TIMEOUT_MS: Final = 5_000
_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = FULL",  # an answer that has left survives a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16000",  # KiB
    "PRAGMA journal_size_limit = 67108864",  # bytes
)


class DatabaseFile:
    """One SQLite file and, beside it, the lock file through which processes take turns."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.lock_path = self.path.with_name(f"{self.path.name}-lock")
        self._path = os.fspath(self.path)
        self._identity: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Create the file if need be and bring its schema up to date; raises ConfigError."""
        try:
            with self.locked():  # switching to WAL doesn't wait for a busy database by itself
                self._create_if_missing()
                self._identity = self._look()
                connection = self.connect()
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                    migrate(connection)
                finally:
                    connection.close()
        except (OSError, sqlite3.Error) as exc:
            reason = of_environment(exc) or str(exc)
            raise ConfigError(f"the database {self.path} can't be used: {reason}") from exc

    def _create_if_missing(self) -> None:
        """With access for its owner only: what effects were given and gave is private.

        A file that exists is not opened: closing it again would drop every lock that SQLite holds
        on it for this process.
        """
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def connect(self) -> sqlite3.Connection:
        """A new connection, usable from any one thread at a time; never creates the file."""
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self) -> None:
        """Raises StoreUnavailableError when the file was removed or replaced.

        Its connections would go on, on a file that no other process can find: two ledgers.
        """
        try:
            same = self._look() == self._identity
        except OSError:
            same = False
        if not same:
            raise StoreUnavailableError("the database file was removed or replaced while in use")

    def free_bytes(self) -> int:
        """What is left on the disk for the database to grow. Raises OSError."""
        found = os.statvfs(self.path.parent)
        return found.f_bavail * found.f_frsize

    def open_lock(self) -> int:
        """A file descriptor for ``flock``; the caller closes it."""
        return os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that processes take turns with."""
        lock = self.open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)  # which lets go of the lock, too

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._path)  # noqa: PTH116 - a third of Path.stat's time, once a batch
        return found.st_dev, found.st_ino
