"""The files in a ZIP, read strictly: every program that unpacks it must find the same in it.

Some go by the directory at its end, some from file to file, and some until what is packed ends. So
the files stand one behind the other, from the first byte to the directory, and what is packed fills
its place. A file of others may be meant to do harm: no more of it is unpacked than is asked for.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import BinaryIO, Final

_HEADER: Final = struct.Struct("<4s5H3L2H")
"""What stands before a file: signature, version, flags, method, …, lengths of name and extra."""
_MARK: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 1
_SIZES_BEHIND: Final = 8
_BEHIND: Final = frozenset({12, 16, 20, 24})
"""Bytes of checksum and sizes behind a file: with a signature or without, of 32 bits or of 64."""
_AT_ONCE: Final = 2**16


class Member(io.RawIOBase):
    """What is in one file. Reading raises ValueError and zlib.error for unfit content."""

    def __init__(self, file: BinaryIO, entry: zipfile.ZipInfo, begin: int) -> None:
        """*begin* is where in *file* its packed bytes do, as ``places`` knows."""
        self._file = file
        self._entry = entry
        self._at = begin
        self._end = begin + entry.compress_size
        deflated = entry.compress_type == zipfile.ZIP_DEFLATED
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
        self._packed = b""
        self._size = 0
        self._checksum = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As much of it as there is room for; its checksum is compared at its end."""
        piece = self._next(len(buffer))
        self._size += len(piece)
        self._checksum = zlib.crc32(piece, self._checksum)
        entry = self._entry
        if self._size > entry.file_size or (not piece and self._size < entry.file_size):
            raise ValueError(f"{entry.filename} has not the {entry.file_size:,} bytes it claims")
        if not piece and self._checksum != entry.CRC:
            raise ValueError(f"{entry.filename} has another checksum")
        buffer[: len(piece)] = piece
        return len(piece)

    def _next(self, size: int) -> bytes:
        if self._inflate is None:
            return self._read(size)
        while True:
            data = self._packed or self._read(_AT_ONCE)
            piece = self._inflate.decompress(data, size)
            self._packed = self._inflate.unconsumed_tail
            if self._inflate.unused_data:
                raise ValueError(f"something stands behind {self._entry.filename}")
            if piece or (not data and self._inflate.eof):
                return piece
            if not data:
                raise ValueError(f"{self._entry.filename} is cut off")

    def _read(self, size: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(min(size, self._end - self._at))
        self._at += len(data)
        return data


def places(file: BinaryIO, entries: Iterable[zipfile.ZipInfo], directory: int) -> dict[str, int]:
    """Where the packed bytes of each file begin, by its name; *directory* is where that begins.

    Raises ValueError where anything stands before, between or behind the files.
    """
    found = {}
    free = frozenset({0})  # where the next may stand
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset not in free:
            raise ValueError(f"something stands before {entry.filename}")
        begin, behind = _header(file, entry)
        end = begin + entry.compress_size
        free = frozenset(end + size for size in behind)
        found[entry.orig_filename] = begin
    if directory not in free:
        raise ValueError("something stands before its directory")
    return found


def _header(file: BinaryIO, entry: zipfile.ZipInfo) -> tuple[int, frozenset[int]]:
    """Where what follows an entry's header begins, and how much may stand behind that."""
    file.seek(entry.header_offset)
    mark, _, flags, method, *_, name, extra = _HEADER.unpack(file.read(_HEADER.size))
    named = file.read(name).decode("utf-8" if flags & 0x800 else "cp437")
    if (mark, method, named) != (_MARK, entry.compress_type, entry.orig_filename):
        raise ValueError(f"{entry.filename} is another file where it stands")
    if (flags | entry.flag_bits) & _ENCRYPTED:
        raise ValueError(f"{entry.filename} is encrypted")
    behind = _BEHIND if flags & _SIZES_BEHIND else frozenset({0})
    return entry.header_offset + _HEADER.size + name + extra, behind
