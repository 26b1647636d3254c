"""Starting what the tests kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import attrs
import pytest

from quatrain.server.keys import KeyRing
from quatrain.server.store import PostgresURL, store_on
from tests.server._support import as_argument

from ._clock import SharedClock
from ._worker import LEASE_MS, Orders

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds until a process that should end is taken for one that hangs."""
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.once) for seed in (2, 3))]
"""Of what chance decides: one under every Python, more under one."""


def start(module: str, *args: str, api_key: str = "") -> subprocess.Popen[bytes]:
    """A Python process that runs one of this package's modules."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", f"{__package__}.{module}", *args],
        cwd=ROOT,
        env=os.environ | {"VERITY_API_KEY": api_key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


class Site:
    """A database and a clock, and who works there."""

    def __init__(self, directory: Path, database: Path | PostgresURL) -> None:
        self.database = database
        self.address = as_argument(database)
        self.clock = SharedClock(directory / "clock")
        self._processes: list[subprocess.Popen[bytes]] = []
        with store_on(self.database, now_ms=self.clock) as store:
            _, secret = KeyRing(store).create()
        self.api_key = secret.reveal()

    def serve(self) -> Server:
        """A server in a process of its own."""
        return Server(self)

    def start(self, module: str, *args: str) -> subprocess.Popen[bytes]:
        """A process that ends with the site, at the latest."""
        process = start(module, *args, api_key=self.api_key)
        self._processes.append(process)
        return process

    def start_worker(self, orders: Orders) -> subprocess.Popen[bytes]:
        """A worker that follows *orders*."""
        return self.start("_worker", json.dumps(attrs.asdict(orders)))

    def expire_leases(self) -> None:
        """As their holders are dead."""
        self.clock.advance(LEASE_MS + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, and wait for its end. What it has written can still be read."""
    process.kill()
    process.wait(PATIENCE)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


class Server:
    """A platform in a process; started again, it has the same address."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._port = "0"
        self.start()

    def start(self) -> None:
        """Returns when requests are answered."""
        site = self._site
        self.process = site.start("_server", site.address, str(site.clock.path), self._port)
        assert self.process.stdout is not None
        self.origin = self.process.stdout.readline().decode().strip()
        assert self.origin, self.process.stderr and self.process.stderr.read().decode()
        self._port = self.origin.rpartition(":")[2]

    @property
    def url(self) -> str:
        """The ledger's."""
        return f"{self.origin}/v1"

    def kill(self) -> None:
        """SIGKILL."""
        kill(self.process)
