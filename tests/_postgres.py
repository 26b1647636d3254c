"""A PostgreSQL server of the tests' own, which dies with them, and a fresh database a test."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests._require import import_for, missing

_numbers = itertools.count()
_CLEAR_UP = """
read -r _
kill -QUIT $(head -n 1 "$1/data/postmaster.pid") 2> /dev/null
while kill -0 $(head -n 1 "$1/data/postmaster.pid" 2> /dev/null) 2> /dev/null; do sleep 0.05; done
rm -rf "$1"
"""


def binaries() -> Path:
    """Where ``initdb`` and ``pg_ctl`` are; skips the test when they are nowhere."""
    if given := os.environ.get("PG_BINDIR"):
        return Path(given)
    found = list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return max(found, key=lambda path: int(path.parent.parent.name)).parent
    on_path = shutil.which("pg_ctl")
    if on_path is None:
        missing("postgres", "no PostgreSQL server on this machine; PG_BINDIR says where it is")
    return Path(os.path.realpath(on_path)).parent


class PostgresServer:
    """A server on a free port of this machine, with its data in memory where that can be.

    Unless it is *durable* it leaves to the system when its files are written.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.psycopg = import_for("postgres", "psycopg", "psycopg[binary]")
        self._bin = binaries()
        self._directory = directory
        self._synced = "on" if durable else "off"
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            names = {user.pw_name for user in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(directory, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run(
            "initdb", "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8", "--no-sync"
        )
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = {
            "fsync": self._synced,
            "full_page_writes": self._synced,
            "max_connections": "200",
            "deadlock_timeout": "100ms",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        where = f"-p {self.port} -h 127.0.0.1 -k {self._directory}"
        log = str(self._directory / "log")
        self._run("pg_ctl", "-w", "-l", log, "-o", f"{where} {options}", "start")

    def stop(self, mode: str = "fast") -> None:
        """With *immediate*, as if it had crashed."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def execute(self, statement: str, *, database: str = "postgres") -> list[Any]:
        """One statement, by itself."""
        with self.psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str | None = None) -> str:
        """A new database; its name."""
        name = f"test_{next(_numbers)}"
        copied = "" if template is None else f" TEMPLATE {template} STRATEGY file_copy"
        self.execute(f"CREATE DATABASE {name}{copied}")
        return name

    def drop(self, name: str) -> None:
        """Whoever still uses it."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> None:
        # not in a pipe: the server would hold it open
        command = [str(self._bin / program), "-D", str(self._directory / "data"), *arguments]
        with (self._directory / "output").open("ab") as output:
            subprocess.run(command, check=True, cwd="/", stdout=output, stderr=output, **self._as)


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """One that runs; skips the test where there is none to run."""
    binaries()
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="quatrain-postgres-", dir=where))
    # it outlives tests that are killed: then its input ends, and it clears up
    clearing = ["sh", "-c", _CLEAR_UP, "sh", str(directory)]
    with subprocess.Popen(clearing, stdin=subprocess.PIPE, start_new_session=True):
        yield PostgresServer(directory, durable=durable)
