"""A worker's process, as the demo sees it: what it says, and how it ends."""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final

from .story import WentWrongError

__all__ = ["Worker", "running"]

PATIENCE: Final = 60.0
"""Seconds after which a worker that neither speaks nor ends counts as stuck."""


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Worker]:
    """A worker for a ``with`` block, which it does not outlive."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(  # noqa: S603  this package's own worker
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends its workers
        ) as process,
    ):
        try:
            yield Worker(process, errors)
        finally:
            process.kill()


class Worker:
    """A running worker, which says lines of JSON.

    Raises WentWrongError for one that is stuck, or ends as it should not.
    """

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self._deadline = time.monotonic() + PATIENCE

    def hear(self) -> dict[str, Any]:
        """The next thing it says."""
        assert self._process.stdout is not None  # noqa: S101  a pipe, for the type checkers
        if not select.select([self._process.stdout], [], [], self._left())[0]:
            raise self._stuck()
        line = self._process.stdout.readline()
        if not line:
            raise WentWrongError(f"a worker ended too early: {self._last_error()}")
        return _understood(line)

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, after *seconds* at most."""
        try:
            self._process.wait(min(seconds, self._left()))
        except subprocess.TimeoutExpired:
            if not self._left():
                raise self._stuck() from None
            return False
        return True

    def result(self) -> list[dict[str, Any]]:
        """Everything it said (that was not heard yet), once it has ended well."""
        try:
            said, _ = self._process.communicate(timeout=self._left())
        except subprocess.TimeoutExpired:
            raise self._stuck() from None
        if self._process.returncode != 0:
            raise WentWrongError(f"a worker failed: {self._last_error()}")
        return [_understood(line) for line in said.splitlines()]

    def kill(self) -> int:
        """SIGKILL; returns the exit status."""
        self._process.kill()
        return self._process.wait()

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _stuck(self) -> WentWrongError:
        return WentWrongError(f"a worker is stuck: {self._last_error()}")

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().splitlines()
        return lines[-1] if lines else "it said nothing on standard error"


def _understood(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise WentWrongError(f"a worker said {line.strip()}")
    return said
