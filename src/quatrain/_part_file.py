"""A file that is there whole or not at all: written beside its place, and moved there at its end.

One flavour: the async client calls it in a worker thread. Every method may raise OSError.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUFFIX: Final = ".part"
PIECE: Final = 262_144
"""Bytes: of what is unpacked, no more than this are held at once."""


class PartFile:
    """What becomes the file *to*, readable by its owner alone, once all of it is there."""

    def __init__(self, to: str | os.PathLike[str], *, prefix: str = ".quatrain-") -> None:
        """*prefix* is what the part file's name begins with; it ends with SUFFIX."""
        self.to = Path(to)
        self._prefix = prefix
        self._file: int | None = None
        self._path: str | None = None

    def open(self) -> None:
        """Make the part file: with a name that nobody can guess, and mode 0600."""
        if self.to.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.to))
        self._file, self._path = tempfile.mkstemp(SUFFIX, self._prefix, self.to.parent)

    def write(self, data: bytes) -> None:
        """Add *data*."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor(), left) :]

    def commit(self) -> None:
        """Put it in its place, whatever is there; it outlives a power cut from then on."""
        os.fsync(self._descriptor())
        self._close()
        assert self._path is not None  # noqa: S101 - it was open
        os.replace(self._path, self.to)  # noqa: PTH105 - a string goes with mkstemp's
        self._path = None
        folder = os.open(self.to.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Remove the part file, unless it has become the file. Twice is fine."""
        self._close()
        path, self._path = self._path, None
        if path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - a string goes with mkstemp's

    def _descriptor(self) -> int:
        if self._file is None:
            raise ValueError("the part file is not open")
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


class Unpacker:
    """Takes the content encoding off a body that comes in pieces, in bounded memory.

    httpx unpacks each piece whole, and a piece of 64 KiB may hold 64 MiB.
    """

    def __init__(self, encoding: str | None) -> None:
        """Raises ValueError for an *encoding* that nobody asked for."""
        name = (encoding or "identity").strip().lower()
        if name not in {"identity", "gzip", "x-gzip", "deflate"}:
            raise ValueError(f"its encoding is {name}, which was not asked for")
        # 32: gzip's header or zlib's, whichever it is
        self._zlib = None if name == "identity" else zlib.decompressobj(32 + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* holds, at most PIECE bytes at a time; raises ValueError for nonsense."""
        if self._zlib is None:
            yield data
            return
        while data:
            try:
                unpacked = self._zlib.decompress(data, PIECE)
            except zlib.error as exc:
                raise ValueError(f"it can't be unpacked: {exc}") from None
            if unpacked:
                yield unpacked
            if self._zlib.unused_data:
                raise ValueError("something comes after its end")
            data = self._zlib.unconsumed_tail

    def end(self) -> Iterator[bytes]:
        """What was kept back. Raises ValueError where the end is missing."""
        if self._zlib is not None:
            if rest := self._zlib.flush(PIECE):
                yield rest
            if not self._zlib.eof:
                raise ValueError("its end is missing")
