"""A PostgreSQL server for one measurement: as careful as one that keeps payments."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def binaries() -> Path | None:
    """Where ``initdb`` and ``pg_ctl`` are; None when they are nowhere."""
    if given := os.environ.get("PG_BINDIR"):
        return Path(given)
    found = list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return max(found, key=lambda path: int(path.parent.parent.name)).parent
    on_path = shutil.which("pg_ctl")
    return None if on_path is None else Path(os.path.realpath(on_path)).parent


@contextmanager
def private_server(**settings: str) -> Iterator[str]:
    """Its address, for as long as the block lasts. Data on the disk, every COMMIT synced to it."""
    programs = binaries()
    if programs is None:
        raise RuntimeError("no PostgreSQL server on this machine; PG_BINDIR says where it is")
    with tempfile.TemporaryDirectory(prefix="quatrain-bench-") as directory:
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            names = {entry.pw_name for entry in pwd.getpwall()}
            entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data = f"{directory}/data"

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", data, *arguments]
            with Path(directory, "output").open("ab") as output:  # in a pipe it would be held open
                subprocess.run(command, check=True, cwd="/", stdout=output, stderr=output, **user)

        run("initdb", "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8")
        chosen = " ".join(f"-c {name}={value}" for name, value in settings.items())
        where = f"-p {port} -h 127.0.0.1 -k {directory} {chosen}"
        run("pg_ctl", "-w", "-l", f"{directory}/log", "-o", where, "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "fast", "stop")
