"""A platform in a process of its own, whose events a test makes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from quatrain._secret import Secret
from quatrain.server.keys import KeyRing, Scope
from quatrain.server.store import PostgresURL, store_on
from quatrain.server.vendo.keys import AppKeys

from .._support import as_argument

_SERVE = """
import sys
from quatrain.server.settings import Settings
from quatrain.server.serve import run
settings = Settings(database=sys.argv[1], port=int(sys.argv[2]), seed=None)
run(settings, on_ready=lambda url: print(url, flush=True))
"""
LONG = 60.0
"""Seconds for what must happen, however slow the machine is."""


class Process:
    """A platform in a process of its own; started again, it has the same address."""

    def __init__(self, database: Path | PostgresURL) -> None:
        self._database = database
        self._port = "0"
        with store_on(database) as store:
            _, self.key = AppKeys(store).create("local", "shop")
            _, self._manager = KeyRing(store).create(tenant="local", scopes=[Scope.MANAGE])
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _SERVE, as_argument(self._database), self._port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self._port = self.url.rpartition(":")[2]

    def publish(self, first: int, count: int) -> None:
        """Events of these numbers."""
        events = [
            {"kind": "billing.usage_recorded", "fields": {"provider": "p", "micros": number}}
            for number in range(first, first + count)
        ]
        response = httpx.post(
            f"{self.url}/manage/v1/vendo/events", json={"events": events}, headers=by(self._manager)
        )
        assert response.status_code == 200, response.text

    def end(self, how: signal.Signals) -> str:
        """Send it a signal: what it had to complain of."""
        self.process.send_signal(how)
        return self.process.communicate(timeout=LONG)[1]


def by(key: Secret) -> dict[str, str]:
    return {"authorization": f"Bearer {key.reveal()}"}
