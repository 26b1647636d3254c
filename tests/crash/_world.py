"""The world outside the ledger: a file that effects leave a line in."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path


class World:
    """What is done is on the disk when ``do`` returns, and can be asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def do(self, key: str) -> str:
        """Act; twice leaves two lines."""
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, f"{key}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
        return result_of(key)

    def find(self, key: str) -> str | None:
        """The result of what has been done, or None."""
        return result_of(key) if self.done()[key] else None

    def done(self) -> Counter[str]:
        """How often each key was acted on."""
        return Counter(self._path.read_text(encoding="utf-8").split())


def result_of(key: str) -> str:
    return f"done: {key}"
