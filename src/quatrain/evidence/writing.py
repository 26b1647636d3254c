"""Exports, written piece by piece: a link at a time is held, however many there are.

The same content gives the same bytes: nothing of the moment, the machine or its user is in them.
"""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import IO, ClassVar, Final

from .manifest import LINKS, MANIFEST, Manifest


class Writer(ABC):
    """``begin``, then ``add`` for each link, in order, then ``end``; each gives the next bytes.

    ``close`` lets go of one that is left half way, and may always be called.
    """

    media_type: ClassVar[str]

    @abstractmethod
    def __init__(self, manifest: Manifest) -> None: ...

    @abstractmethod
    def begin(self) -> bytes:
        """What stands before the links."""

    @abstractmethod
    def add(self, link: str) -> bytes:
        """A link, in JSON."""

    @abstractmethod
    def end(self) -> bytes:
        """What stands after them."""

    @abstractmethod
    def close(self) -> None:
        """Let go."""


def write(writer: Writer, links: Iterable[str]) -> Iterator[bytes]:
    """The whole export, in pieces; *links* are JSON texts."""
    try:
        yield writer.begin()
        for link in links:
            yield writer.add(link)
        yield writer.end()
    finally:
        writer.close()


class JsonWriter(Writer):
    """One JSON object, with a link a line."""

    media_type: ClassVar[str] = "application/json"

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._between = b"\n"

    def begin(self) -> bytes:
        """The manifest's fields; the links come last, so that readers know what they read."""
        return f'{_text(self._manifest)[:-1]},"links":['.encode("ascii")

    def add(self, link: str) -> bytes:
        """On a line of its own."""
        between, self._between = self._between, b",\n"
        return between + link.encode("ascii")

    def end(self) -> bytes:
        """The brackets."""
        return b"\n]}\n"

    def close(self) -> None:
        """There is nothing to let go of."""


class ZipWriter(Writer):
    """A ZIP of ``manifest.json`` and ``links.jsonl``."""

    media_type: ClassVar[str] = "application/zip"

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w")  # type: ignore[call-overload]  # it only writes
        self._links: IO[bytes] | None = None

    def begin(self) -> bytes:
        """The first file, and the head of the second."""
        self._zip.writestr(_entry(MANIFEST), f"{_text(self._manifest)}\n".encode("ascii"))
        self._links = self._zip.open(_entry(LINKS), "w")
        return self._sink.take()

    def add(self, link: str) -> bytes:
        """Often nothing: what is compressed comes in blocks."""
        assert self._links is not None, "it has not begun"  # noqa: S101
        self._links.write(f"{link}\n".encode("ascii"))
        return self._sink.take()

    def end(self) -> bytes:
        """The rest of the second file, and the directory."""
        self.close()
        return self._sink.take()

    def close(self) -> None:
        """End the file that is open, then the archive, which would not be closed before it."""
        if self._links is not None:
            self._links.close()
        self._zip.close()


def _text(manifest: Manifest) -> str:
    return json.dumps(manifest.as_json(), separators=(",", ":"))


class _Sink:
    """A file that can't be gone back in, as a socket is: it keeps what is written until taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # of 1980-01-01
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, wherever it is written
    return entry


WRITERS: Final[dict[str, type[Writer]]] = {
    "json": JsonWriter,
    "zip": ZipWriter,
}
"""By an export's ``format``."""
