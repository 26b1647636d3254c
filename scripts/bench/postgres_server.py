"""A PostgreSQL server of the benchmarks' own, as durable as one that people run in earnest."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

_SETTINGS: Final = {
    # what is acknowledged is on the disk: these three are PostgreSQL's own defaults
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_connections": "300",
    # a checkpoint would fall into one leg and not into the other
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
}


class NoServerError(Exception):
    """There is no PostgreSQL on this machine."""


@attrs.frozen
class Server:
    """One that runs."""

    port: int
    binaries: Path

    def url(self, database: str) -> str:
        """The address of one of its databases, over TCP for whoever connects."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database; its address."""
        self.run("createdb", database)
        return self.url(database)

    def settle(self, database: str) -> None:
        """Nothing of what came before is left to be done by the next leg."""
        self.run("psql", "-q", "-d", database, "-c", "VACUUM ANALYZE", "-c", "CHECKPOINT")

    def run(self, program: str, *arguments: str) -> str:
        """One of PostgreSQL's own programs on it; what it prints."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        command = [str(self.binaries / program), *where, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
        return done.stdout


@contextmanager
def postgres(directory: Path, **settings: str) -> Iterator[Server]:
    """Its data is in *directory*, whose disk is measured too; *settings* are more of its settings.

    Raises NoServerError.
    """
    found = _binaries()
    home = directory / "postgres"
    home.mkdir()
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        names = {user.pw_name for user in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(home, user.pw_uid, user.pw_gid)
        directory.chmod(0o711)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        # not in a pipe: the server would hold it open
        command = [str(found / program), "-D", str(home / "data"), *arguments]
        with (home / "output").open("ab") as output:
            subprocess.run(command, check=True, cwd="/", stdout=output, stderr=output, **as_user)

    run("initdb", "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8")
    options = " ".join(f"-c {name}={value}" for name, value in {**_SETTINGS, **settings}.items())
    where = f"-p {port} -h 127.0.0.1 -k {home}"
    run("pg_ctl", "-w", "-l", str(home / "log"), "-o", f"{where} {options}", "start")
    try:
        yield Server(port, found)
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def _binaries() -> Path:
    if given := os.environ.get("PG_BINDIR"):
        return Path(given)
    found = list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return max(found, key=lambda path: int(path.parent.parent.name)).parent
    on_path = shutil.which("pg_ctl")
    if on_path is None:
        raise NoServerError("there is no PostgreSQL on this machine; PG_BINDIR says where it is")
    return Path(os.path.realpath(on_path)).parent
