"""Exports, read piece by piece and strictly: a file of others may be meant to do harm.

However large it is, or claims to be, or unpacks to, no more than a link or two of it is in memory.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

from quatrain.errors.velerian import EvidenceError

from .jsonpieces import MAX_TOTAL, MAX_VALUE, Pieces, parse
from .manifest import LINKS, MANIFEST, NAMES, ExportedLink, Manifest
from .zipmembers import Member, places

Source: TypeAlias = str | os.PathLike[str] | bytes
"""A path, or a whole export."""

_FIELDS: Final = NAMES | {"links"}
_ZIP: Final = b"PK\x03\x04"
_MAX_MANIFEST: Final = 2**16


class Document(ABC):
    """An export's two parts; both raise what ``_refused`` knows."""

    @abstractmethod
    def manifest(self) -> Any:
        """Its manifest's JSON."""

    @abstractmethod
    def links(self) -> Iterator[Any]:
        """Its links' JSON, in order."""


@contextmanager
def opened(source: Source) -> Iterator[tuple[Manifest, Iterator[ExportedLink]]]:
    """An export's manifest and its links, which are read as they are asked for.

    Raises EvidenceError, then or when iterating, and OSError for a file that can't be read.
    """
    with _file(source) as file:
        with _refused():
            is_zip = file.read(len(_ZIP)) == _ZIP
            document: Document = ZipDocument(file) if is_zip else JsonDocument(file)
            manifest = Manifest.read(document.manifest())
        yield manifest, _numbered(document.links(), manifest.count)


def _numbered(values: Iterable[Any], count: int) -> Iterator[ExportedLink]:
    """The links; whatever is wrong with one is told with its position."""
    remaining = iter(values)
    position = 0
    while True:
        with _refused(position if position < count else None):
            try:
                value = next(remaining)
            except StopIteration:
                return
            link = ExportedLink.read(value)
        yield link
        position += 1


def _file(source: Source) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except ValueError as exc:  # a NUL in its name
        raise EvidenceError(f"no file can have that name: {exc}") from None


@contextmanager
def _refused(position: int | None = None) -> Iterator[None]:
    """Turn what unfit content makes its readers raise into EvidenceError."""
    try:
        yield
    except (
        ValueError,  # JSON, UTF-8, and sizes that no seek can have
        OverflowError,
        EOFError,
        RuntimeError,  # a ZIP's encryption and its more exotic methods
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as exc:
        raise EvidenceError(str(exc) or "it is cut off", position) from exc


# -- JSON -----------------------------------------------------------------------------------------


class JsonDocument(Document):
    """One object: the manifest's fields and ``links``, in any order, though ours has links last."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def manifest(self) -> Any:
        """Read as far as needed; with the links last, they are not touched."""
        fields: dict[str, Any] = {}
        for name, value in self._members():
            if name is not None:
                fields[name] = value
            if len(fields) == len(NAMES):
                break
        return fields

    def links(self) -> Iterator[Any]:
        """From the beginning again, and to the very end."""
        for name, value in self._members():
            if name is None:
                yield value

    def _members(self) -> Iterator[tuple[str | None, Any]]:
        """Each field with its name, and each link, with none."""
        text = Pieces(self._file)
        names: set[str] = set()
        text.mark("{")
        separator = ","
        while separator == ",":
            name = text.value()
            if not isinstance(name, str) or name in names or name not in _FIELDS:
                raise ValueError(f"it has the field {name!r:.80} twice, or should not have it")
            names.add(name)
            text.mark(":")
            if name == "links":
                yield from ((None, link) for link in _elements(text))
            else:
                yield name, text.value()
            separator = text.mark(",", "}")
        text.end()
        if "links" not in names:
            raise ValueError("it has no links")


def _elements(text: Pieces) -> Iterator[Any]:
    text.mark("[")
    if text.peek() == "]":
        text.mark("]")
        return
    separator = ","
    while separator == ",":
        yield text.value()
        separator = text.mark(",", "]")


# -- ZIP ------------------------------------------------------------------------------------------

_END: Final = struct.Struct("<4s4H2LH")
"""A ZIP's last record: signature, disks, entries here and in all, directory size and offset, …"""
_END_MARK: Final = b"PK\x05\x06"
_ZIP64_MARK: Final = b"PK\x06\x07"
_ZIP64_SIZE: Final = 20
_MAX_DIRECTORY: Final = 2**12
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class ZipDocument(Document):
    """Two files, ``manifest.json`` and ``links.jsonl``, stored or deflated.

    What a ZIP says beside them (times, permissions, versions) has no meaning and is not looked at.
    """

    def __init__(self, file: BinaryIO) -> None:
        directory = _check_end(file)
        listed = zipfile.ZipFile(file).infolist()
        entries = {entry.orig_filename: entry for entry in listed}
        if entries.keys() != {MANIFEST, LINKS} or len(listed) != len(entries):
            raise ValueError(f"its files are not {MANIFEST} and {LINKS}")
        for entry in entries.values():
            if entry.compress_type not in _METHODS:
                raise ValueError(f"{entry.filename} is neither stored nor deflated")
            if entry.file_size > MAX_TOTAL:
                raise ValueError(f"{entry.filename} is larger than {MAX_TOTAL:,} bytes")
        self._file = file
        self._places = places(file, listed, directory)
        self._entries = entries

    def manifest(self) -> Any:
        """The first file's JSON."""
        if self._entries[MANIFEST].file_size > _MAX_MANIFEST:
            raise ValueError(f"{MANIFEST} is larger than {_MAX_MANIFEST:,} bytes")
        return parse(b"".join(self._lines(MANIFEST)).decode())

    def links(self) -> Iterator[Any]:
        """The second's, a line at a time."""
        for line in self._lines(LINKS):
            yield parse(line.decode())

    def _lines(self, name: str) -> Iterator[bytes]:
        """A file's lines; to have its checksum compared, read them all."""
        member = Member(self._file, self._entries[name], self._places[name])
        with io.BufferedReader(member) as file:  # a raw file's own readline is slow
            while line := file.readline(MAX_VALUE + 1):
                if len(line) > MAX_VALUE:
                    raise ValueError(f"{name} has a line of more than {MAX_VALUE:,} bytes")
                yield line


def _check_end(file: BinaryIO) -> int:
    """Look at the directory's size before anybody reads it: it may hold millions of entries.

    Answers where it begins.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END.size - _ZIP64_SIZE))
    before, end = _split(file.read())
    if len(end) < _END.size:
        raise ValueError("it is cut off")
    mark, _, _, _, entries, directory, begin, comment = _END.unpack(end)
    if mark != _END_MARK or comment or before.startswith(_ZIP64_MARK):
        raise ValueError("it is cut off, or something has been added: a ZIP's end is not its end")
    if entries != 2 or directory > _MAX_DIRECTORY:
        raise ValueError(f"it holds {entries:,} files, and an export holds 2")
    if begin + directory + _END.size != size:
        raise ValueError("it points outside of itself, or something has been added")
    return int(begin)


def _split(tail: bytes) -> tuple[bytes, bytes]:
    return tail[: -_END.size], tail[-_END.size :]
