"""JSON from a file, a value at a time: no more of it is held than the value that is being read."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, BinaryIO, Final

from quatrain._strict_json import DECODER, is_deeper

MAX_VALUE: Final = 16 * 2**20
"""Characters of one value: of a link, above all."""
MAX_TOTAL: Final = 2**31 - 1
"""Bytes of an export, unpacked."""
MAX_DEPTH: Final = 300
"""Objects and arrays inside one another; a payload may have 200."""

_AT_ONCE: Final = 2**16
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def parse(text: str) -> Any:
    """The value of a whole JSON text. Raises ValueError."""
    value, end = decode(text, _end_of_space(text, 0))
    if _end_of_space(text, end) < len(text):
        raise ValueError("it is not JSON: it goes on after its end")
    return value


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def decode(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at *at*, and where it ends. Raises ValueError."""
    try:
        value, end = DECODER.raw_decode(text, at)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as exc:  # whose place is one in the piece that is held
        raise ValueError(f"it is not JSON, or is cut off: {exc.msg}") from None
    if is_deeper(value, text[at:end], MAX_DEPTH):
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return value, end


class Pieces:
    """The text of *file*, from its beginning. Everything raises ValueError for unfit content."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._total = 0
        self._ended = False
        self._fault: ValueError | None = None

    def value(self) -> Any:
        """The next value."""
        self._skip_space()
        while True:
            try:
                value, end = decode(self._text, self._at)
            except ValueError:  # perhaps the rest of it is still to come
                if not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():  # a number may go on
                continue
            if end - self._at > MAX_VALUE:
                raise _too_long()
            self._at = end
            return value

    def mark(self, *expected: str) -> str:
        """The next character, which must be one of these."""
        found = self.peek()
        if found not in expected:
            instead = repr(found) if found else "the end of the file"
            raise ValueError(f"it is not JSON: {' or '.join(expected)} comes next, not {instead}")
        self._at += 1
        return found

    def peek(self) -> str:
        """The next character, without taking it; "" at the end."""
        self._skip_space()
        return self._text[self._at : self._at + 1]

    def end(self) -> None:
        """There must be nothing more."""
        if self.peek():
            raise ValueError("it is not JSON: it goes on after its end")

    def _skip_space(self) -> None:
        while True:
            self._at = _end_of_space(self._text, self._at)
            if self._at < len(self._text) or not self._more():
                return

    def _more(self) -> bool:
        """Read on; False at the end."""
        held = len(self._text) - self._at
        if held > MAX_VALUE:
            raise _too_long()
        if self._fault is not None:
            raise self._fault
        # twice as much each time: a long value is tried a few times only
        piece = b"" if self._ended else self._file.read(max(_AT_ONCE, held))
        self._total += len(piece)
        if self._total > MAX_TOTAL:
            raise ValueError(f"it is larger than {MAX_TOTAL:,} bytes")
        self._text = self._text[self._at :] + self._decoded(piece)
        self._at = 0
        self._ended = not piece
        return not self._ended

    def _decoded(self, piece: bytes) -> str:
        try:
            return self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as exc:
            # told when it is come to: what stands before it may be right
            self._fault = ValueError("it is not UTF-8")
            return exc.object[: exc.start].decode()


def _too_long() -> ValueError:
    return ValueError(f"it is not JSON, or has a value of more than {MAX_VALUE:,} characters")
