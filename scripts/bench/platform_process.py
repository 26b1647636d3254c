"""A local platform in a process of its own, as in real use; run by the benchmark.

Serves the database that is its argument on a free port, writes its URL on a line, and ends when
its standard input does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from quatrain.server import Settings
from quatrain.server.keys import KeyRing
from quatrain.server.serve import run
from quatrain.server.store import SqliteStore


@attrs.frozen
class Ledger:
    """A ledger to point clients at."""

    origin: str
    api_key: str = attrs.field(repr=False)
    pid: int
    database: Path

    @property
    def base_url(self) -> str:
        """Of the effect ledger."""
        return f"{self.origin}/v1"

    def cpu_seconds(self) -> float | None:
        """Processor time its process has used; None where the system does not tell."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(directory: Path) -> Iterator[Ledger]:
    """A platform on a new database in *directory*, for as long as the block lasts."""
    database = directory / "served.db"
    with SqliteStore(database) as store:
        _, secret = KeyRing(store).create()
    with subprocess.Popen(
        [sys.executable, __file__, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the platform's process has no pipes")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the platform did not start")
        try:
            yield Ledger(url, secret.reveal(), process.pid, database)
        finally:
            process.stdin.close()


def _serve(database: str) -> None:
    def end_with_parent() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_with_parent, daemon=True).start()
    run(Settings(database=Path(database), port=0), on_ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    _serve(sys.argv[1])
