"""Which deliveries have been handled, in a file: for several processes, and over restarts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .._runtime._forks import watch
from ..errors.velocity import ConfigError, InputError, VelocityOSError
from .seen import State, short

_BUSY_TIMEOUT: Final = 5.0
_DAY: Final = 86_400.0
_PRUNED_AT_ONCE: Final = 100

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS seen_deliveries (
  id    TEXT PRIMARY KEY NOT NULL,
  claim TEXT,           -- whose it is while it runs; NULL once it is handled
  at    REAL NOT NULL   -- Unix seconds: when it was claimed, or handled
);
CREATE INDEX IF NOT EXISTS seen_deliveries_at ON seen_deliveries (at);
"""
# a claim from the far future was made before somebody set the clock back
_CLAIM: Final = """
INSERT INTO seen_deliveries (id, claim, at) VALUES (:id, :claim, :now)
ON CONFLICT (id) DO UPDATE SET claim = excluded.claim, at = excluded.at
WHERE claim IS NOT NULL AND NOT :ours
  AND NOT (at > :now - :claim_seconds AND at < :now + :claim_seconds)
RETURNING 1
"""
_LOOK: Final = "SELECT claim IS NULL FROM seen_deliveries WHERE id = ?"
_HANDLED: Final = """
INSERT INTO seen_deliveries (id, claim, at) VALUES (?, NULL, ?)
ON CONFLICT (id) DO UPDATE SET claim = NULL, at = excluded.at
"""
_RELEASE: Final = "DELETE FROM seen_deliveries WHERE id = ? AND claim = ?"
_PRUNE: Final = f"""
DELETE FROM seen_deliveries WHERE rowid IN
  (SELECT rowid FROM seen_deliveries WHERE at < ? LIMIT {_PRUNED_AT_ONCE})
"""  # noqa: S608 - a number of ours


class SqliteSeen:
    """Remembers deliveries for *keep_days* in the file *path*, which processes may share.

    A process that dies leaves its delivery claimed: *claim_seconds* later another may handle it.
    So *claim_seconds* has to be longer than your slowest function takes. *now* gives Unix seconds.

    The file is made on first use, readable by its owner only. Raises ConfigError when it can't be
    used, and VelocityOSError when it fails later: a full disk, a lock that is never given back.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        keep_days: float = 30,
        claim_seconds: float = 300,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not keep_days > 0 or not claim_seconds > 0:
            raise InputError("keep_days and claim_seconds have to be more than 0")
        self.path = Path(path).absolute()
        self._keep_seconds = keep_days * _DAY
        self._claim_seconds = claim_seconds
        self._now = now
        self._lock = threading.Lock()
        self._claims: dict[str, str] = {}  # what this process handles now
        # what the file was not told yet, for it could not be used: None is handled, else a claim
        self._owed: dict[str, str | None] = {}
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._closed = False
        watch(self)

    def __repr__(self) -> str:
        return f"SqliteSeen({os.fspath(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what is remembered stays. Closing twice is fine."""
        with self._lock:
            self._closed = True
            self._drop()

    def begin(self, delivery_id: str) -> State:
        """``SeenStore.begin``."""
        key, claim = short(delivery_id), uuid.uuid4().hex
        with self._transaction() as connection:
            now = self._now()
            connection.execute(_PRUNE, [now - self._keep_seconds])
            values = {
                "id": key,
                "claim": claim,
                "now": now,
                "claim_seconds": self._claim_seconds,
                "ours": key in self._claims,  # it runs: this process lives
            }
            claimed = bool(connection.execute(_CLAIM, values).fetchall())
            ((handled,),) = connection.execute(_LOOK, [key]).fetchall()
        if claimed:
            self._claims[key] = claim  # now that it is committed
            return "new"
        return "handled" if handled else "running"

    def finish(self, delivery_id: str, *, handled: bool) -> None:
        """``SeenStore.finish``. A claim that another process has taken over is left to it.

        What can't be recorded now is recorded by this process as soon as it can be.
        """
        key = short(delivery_id)
        with self._lock:
            claim = self._claims.pop(key, None)
            if handled:
                self._owed[key] = None
            elif claim is not None:
                self._owed[key] = claim
        with self._transaction():
            pass  # each of them records what is owed

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise VelocityOSError(f"{self.path} was closed: no delivery can be looked up")
            connection = self._connected()
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._record(connection)
                yield connection
                connection.execute("COMMIT")
                self._owed.clear()
            except BaseException as exc:
                self._drop()  # which rolls back
                if isinstance(exc, sqlite3.Error):
                    raise VelocityOSError(f"{self.path} can't be used now: {exc}") from exc
                raise

    def _record(self, connection: sqlite3.Connection) -> None:
        for key, claim in self._owed.items():
            if claim is None:
                connection.execute(_HANDLED, [key, self._now()])
            else:
                connection.execute(_RELEASE, [key, claim])

    def _connected(self) -> sqlite3.Connection:
        try:
            if self._connection is not None and self._look() == self._identity:
                return self._connection
            self._drop()  # it may have been removed: its connection would go on, seen by nobody
            with self._alone():
                # never opened by hand when it exists: closing it again would drop SQLite's locks
                with contextlib.suppress(FileExistsError):
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                self._identity = self._look()
                self._connection = self._connect()
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(f"{self.path} can't keep deliveries: {exc}") from exc
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # handled stays so in a power cut
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The only process here: SQLite's switch to WAL does not wait for others by itself."""
        beside = self.path.with_name(f"{self.path.name}-lock")
        lock = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)  # which lets go of the lock, too

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # a child would share SQLite's locks without holding them: no connection crosses a fork

    def before_fork(self) -> None:
        """Let go of the file."""
        self._lock.acquire()
        self._drop()

    def after_fork_in_parent(self) -> None:
        """Open it again on next use."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Open it again on next use; what runs, runs in the parent."""
        self._claims.clear()
        self._lock.release()
