"""The world outside the ledger, as it should be: it turns away whoever comes too late."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs


class TooLateError(Exception):
    """Somebody with a newer fence token has been here."""


@attrs.frozen
class Line:
    """What somebody did or tried to, under a fence token."""

    fence: int
    what: str
    """looked, done, or late."""
    result: Any
    """Of what was done. Of who came late: whether they still held their lease, as they knew."""


class FencedWorld:
    """A file of its own for each effect, to which each visit adds a line."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "effects"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._tally = directory / "tally"
        self._allowed = directory / "allowed"

    def look(self, key: str, fence: int) -> Any:
        """The result of what was done, or None; from now on older fences are turned away."""
        with self._open(key) as file:
            _add(file, Line(fence, "looked", None))
            return next((line.result for line in _lines(file) if line.what == "done"), None)

    def do(self, key: str, fence: int, result: Any, *, held: Callable[[], bool]) -> None:
        """Act; twice leaves two lines. Raises TooLateError."""
        with self._open(key) as file:
            if fence < max((line.fence for line in _lines(file)), default=0):
                _add(file, Line(fence, "late", held()))
                raise TooLateError(key)
            _add(file, Line(fence, "done", result))
        with self._tally.open("ab") as tally:
            tally.write(b".")

    def allow(self, number: int) -> None:
        """Let about so many effects be done; who wants to do more has to wait."""
        fresh = self._allowed.with_suffix(".new")
        fresh.write_text(str(number), "ascii")
        fresh.replace(self._allowed)

    def is_full(self) -> bool:
        """Whether no more may be done for now."""
        done = self._tally.stat().st_size if self._tally.exists() else 0
        return done >= int(self._allowed.read_text("ascii"))

    def story(self) -> dict[str, list[Line]]:
        """Everything, effect by effect."""
        told = {}
        for path in self._directory.iterdir():
            with self._open(path.name) as file:
                told[path.name] = list(_lines(file))
        return told

    @contextmanager
    def _open(self, key: str) -> Iterator[int]:
        file = os.open(self._directory / key, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def _add(file: int, line: Line) -> None:
    os.write(file, json.dumps(attrs.astuple(line)).encode() + b"\n")


def _lines(file: int) -> Iterator[Line]:
    text = os.pread(file, os.fstat(file).st_size, 0)
    return (Line(*json.loads(line)) for line in text.splitlines())
