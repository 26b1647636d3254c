"""A ledger that is served, keys for it, and programs that use it.

python examples/serve_and_connect.py

What a person would type is printed after a "$".
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from quatrain import Client, PermissionDeniedError
from quatrain.verity import VerityClient


class CommandLine:
    """``quatrain …``, as this Python has it."""

    def __init__(self, **environment: str) -> None:
        self.environment = {**os.environ, **environment}

    def output_of(self, *arguments: str) -> str:
        """What a command prints on standard output."""
        command = self._command(arguments)
        done = subprocess.run(
            command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.rstrip()

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[str]:
        """Serve; gives the URL, and stops as Ctrl-C would."""
        command = self._command(("serve", *arguments))
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            try:
                yield server.stdout.readline().split()[-1]
            finally:
                server.send_signal(signal.SIGINT)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        print(f"$ quatrain {shlex.join(arguments)}", flush=True)
        return [sys.executable, "-m", "quatrain.cli", *arguments]


def main() -> None:
    """Serve, make keys, connect, look."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory, "quatrain.db")
        here = CommandLine(QUATRAIN_DATABASE=str(database))
        with here.serving("--port", "0") as url:
            print(f"GET {url}/healthz: {httpx.get(f'{url}/healthz').json()}")
            key = here.output_of("keys", "create", "--name", "laptop")
            with VerityClient(base_url=f"{url}/v1", api_key=key, namespace="greetings") as verity:
                print(f"Over HTTP: {verity.protect('hello', act=lambda: 'said once')}")

            with Client.local(database, namespace="greetings") as q:  # beside the server
                print(f"On the file: {q.verity.protect('hello', act=lambda: 'never said')}")

            read_only = here.output_of(
                "keys", "create", "--name", "dashboard", "--scope", "effects:read"
            )
            with VerityClient(
                base_url=f"{url}/v1", api_key=read_only, namespace="greetings"
            ) as verity:
                effect = verity.effects.get("hello")
                print(f"With the dashboard's key: {effect.effect_key} is {effect.status}")
                try:
                    verity.protect("goodbye", act=lambda: "never said")
                except PermissionDeniedError as exc:
                    print(f"With the dashboard's key: {exc.message}")

            connected = CommandLine(VERITY_BASE_URL=f"{url}/v1", VERITY_API_KEY=read_only)
            print(connected.output_of("effects", "list"))


if __name__ == "__main__":
    main()
