"""Replicas of the platform on one PostgreSQL, and crowds of clients: all of them to be killed."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Self

from quatrain.server.keys import KeyRing
from quatrain.server.store import store_on
from quatrain.server.vendo.sealing import new_key
from tests._postgres import PostgresServer

from ._processes import PATIENCE, ROOT, kill

_PYTHON = [sys.executable, "-W", "error", "-m"]
READY = b"Ctrl-C stops it.\n"


class Cluster:
    """A database, the replicas on it, and what is started beside them; all end with the block."""

    def __init__(self, postgres: PostgresServer, directory: Path, replicas: int) -> None:
        self.postgres = postgres
        self.directory = directory
        self.database = postgres.url(postgres.create())
        self._processes: list[subprocess.Popen[bytes]] = []
        with store_on(self.database) as store:
            _, secret = KeyRing(store).create()
        self._env = os.environ | {
            "QUATRAIN_DATABASE": self.database,
            "QUATRAIN_SECRET_KEY": new_key().reveal(),
            "VERITY_API_KEY": secret.reveal(),
        }
        self._progress, self.progress = os.pipe()
        self._told: Counter[bytes] = Counter()
        self.errors = (directory / "errors").open("ab")
        self.replicas = [Replica(self, _free_port()) for _ in range(replicas)]

    def __enter__(self) -> Self:
        for replica in self.replicas:
            replica.start()
        for replica in self.replicas:
            replica.wait()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            kill(process)
        self.errors.close()
        os.close(self._progress)
        os.close(self.progress)

    def start(self, module: str, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        """A Python process that runs a module, and complains into the file *errors*."""
        process = subprocess.Popen(
            [*_PYTHON, module, *args], cwd=ROOT, env=self._env, stderr=self.errors, **options
        )
        self._processes.append(process)
        return process

    def heard(self, kind: bytes, enough: int) -> None:
        """Wait until crowds have told so much of that *kind* more than before."""
        while self._told[kind] < enough:
            assert self._listen(PATIENCE), f"nothing goes on\n{self.complaints()}"
        self._told[kind] -= enough

    def forget(self, kind: bytes) -> None:
        """What was told of that *kind* until now."""
        while self._listen(0):
            pass
        self._told[kind] = 0

    def _listen(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._progress], [], [], seconds)
        if ready:
            told = os.read(self._progress, 65_536)
            self._told.update(told[n : n + 1] for n in range(len(told)))
        return bool(ready)

    def command(self, url: str, *args: str) -> tuple[int, str, str]:
        """Run ``quatrain``: its exit status, and what it said."""
        command = [*_PYTHON, "quatrain.cli", *args]
        env = self._env | {"VERITY_BASE_URL": url}
        done = subprocess.run(  # noqa: PLW1510  the status is looked at
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.returncode, done.stdout, done.stderr

    @property
    def api_key(self) -> str:
        """Of all clients."""
        return self._env["VERITY_API_KEY"]

    def complaints(self) -> str:
        """What all processes wrote to standard error."""
        return (self.directory / "errors").read_text("utf-8")


class Replica:
    """``quatrain serve``; started again, it has the same address."""

    def __init__(self, cluster: Cluster, port: int) -> None:
        self._cluster = cluster
        self.port = port
        self.deaths = 0

    def start(self) -> None:
        """Returns before requests are answered."""
        args = ["serve", "--port", str(self.port), "--seed", "none"]
        self._process = self._cluster.start("quatrain.cli", *args, stdout=subprocess.PIPE)

    def wait(self) -> None:
        """Until requests are answered."""
        assert self._process.stdout is not None
        while (said := self._process.stdout.readline()) != READY:
            assert said, self._cluster.complaints()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process.poll() is None, self._cluster.complaints()
        kill(self._process)
        self.deaths += 1


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
