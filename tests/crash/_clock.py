"""One clock for several processes: it stands still until the test moves it on."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

START = 1_800_000_000_000
_INT64 = struct.Struct("<q")


class SharedClock:
    """The server's clock, in milliseconds since 1970, kept in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(_INT64.pack(START))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _INT64.size)

    def __call__(self) -> int:
        (now,) = _INT64.unpack(self._memory[:])
        return int(now)

    def advance(self, ms: int) -> None:
        """Let time pass, for everybody."""
        self._memory[:] = _INT64.pack(self() + ms)
