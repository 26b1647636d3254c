"""From a streamed answer to a file that is there whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from .._http import Answer
from .._part_file import PIECE, PartFile, Unpacker
from .._runtime._async import call as in_thread
from .._runtime._async import finish
from ..errors._family import Family
from .transport import AsyncTransport, Call

Progress = Callable[[int, int | None], object]
"""Is told the bytes so far, and all that there will be; None where nobody knows."""


async def download(
    transport: AsyncTransport,
    call: Call,
    to: str | PathLike[str],
    *,
    family: Family,
    on_progress: Progress | None = None,
    max_bytes: int | None = None,
) -> Path:
    """What *call* is answered with, as the file *to*, which only its owner can read.

    It is written beside its place and moved there once all of it is on the disk; whatever goes
    wrong, and a cancellation, leaves what was there before. The whole is asked for again after
    passing faults, until its first byte has come. Memory holds a few pieces of it.

    Raises what ``transport.stream`` raises, OSError, and the family's APIError for an answer that
    is larger than *max_bytes* or can't be unpacked.
    """
    part = PartFile(to)
    incoming = _AsyncIncoming(part, family, on_progress, max_bytes)
    try:
        await in_thread(part.open)
        head = await transport.stream(call, incoming.keep)
        await incoming.end(head)
        await in_thread(part.commit)
    finally:
        await finish(in_thread, part.discard)
    return part.to


class _AsyncIncoming:
    """A body on its way into a part file."""

    def __init__(
        self,
        part: PartFile,
        family: Family,
        on_progress: Progress | None,
        max_bytes: int | None,
    ) -> None:
        self._part = part
        self._family = family
        self._on_progress = on_progress
        self._max_bytes = max_bytes
        self._unpacker: Unpacker | None = None
        self._expected: int | None = None
        self._came = 0
        self._size = 0
        self._kept = bytearray()

    async def keep(self, head: Answer, piece: bytes) -> None:
        """Write *piece*, sooner or later."""
        unpacker = self._unpacker or self._begin(head)
        self._came += len(piece)
        try:
            for data in unpacker.feed(piece):
                await self._add(head, data)
        except ValueError as exc:
            raise self._unexpected(head, str(exc)) from None
        if self._on_progress is not None:
            encoded = head.header(b"content-encoding") is not None
            self._on_progress(self._size, None if encoded else self._expected)

    async def end(self, head: Answer) -> None:
        """Write what is left; raises for a body that is not all there."""
        unpacker = self._unpacker or self._begin(head)
        try:
            for data in unpacker.end():
                await self._add(head, data)
        except ValueError as exc:
            raise self._unexpected(head, str(exc)) from None
        if self._expected not in {None, self._came}:
            raise self._family.transport(
                f"the answer was cut off after {self._came:,} of {self._expected:,} bytes"
            )
        await self._write()

    def _begin(self, head: Answer) -> Unpacker:
        if head.status != 200:
            raise self._unexpected(head, "it is not the whole of a file")
        length = head.header(b"content-length") or ""
        self._expected = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        try:
            self._unpacker = Unpacker(head.header(b"content-encoding"))
        except ValueError as exc:
            raise self._unexpected(head, str(exc)) from None
        self._bound(head, self._expected or 0)
        return self._unpacker

    async def _add(self, head: Answer, data: bytes) -> None:
        self._size += len(data)
        self._bound(head, self._size)
        self._kept += data
        if len(self._kept) >= PIECE:
            await self._write()

    async def _write(self) -> None:
        data, self._kept = bytes(self._kept), bytearray()
        await in_thread(self._part.write, data)

    def _bound(self, head: Answer, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise self._unexpected(head, f"it is larger than {self._max_bytes:,} bytes")

    def _unexpected(self, head: Answer, reason: str) -> Exception:
        request_id = head.header(b"x-request-id")
        return self._family.unexpected(head.status, None, request_id, reason)
