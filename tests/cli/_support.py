"""Real processes of the command line."""

from __future__ import annotations

import os
import subprocess
import sys

LONG = 60.0  # for what must happen, however slow the machine is
QUATRAIN = [sys.executable, "-W", "error", "-m", "quatrain.cli"]


class Process:
    """A command that runs until it is told to stop."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen(
            [*QUATRAIN, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def stop(self, number):
        """Send a signal: its exit status, and what it said since."""
        self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=LONG)
        return self.process.returncode, rest, errors

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=LONG)


class Serving(Process):
    """A served platform, and what it announced."""

    def __init__(self, database, *options):
        super().__init__("serve", "--port", 0, "--database", database, *options)
        self.said = [self.process.stdout.readline() for _ in range(10)]

    @property
    def base_url(self):
        return self.said[1].strip().removeprefix("export VERITY_BASE_URL=")

    @property
    def url(self):
        return self.base_url.removesuffix("/v1")


class Listening(Process):
    """``quatrain webhooks listen``, and where it said to be."""

    def __init__(self, *options, **env):
        super().__init__("webhooks", "listen", "--port", 0, *options, env=env)
        self.announced = self.process.stderr.readline()
        self.url = self.announced.removeprefix("Listening on ").partition(". ")[0]

    def line(self):
        """The next line of its output."""
        return self.process.stdout.readline()
