"""Event streams by the WHATWG's rules, without I/O.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, "Interpreting an event
stream".
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_EVENT: Final = 1_048_576
"""Bytes of an event that are kept, unless told otherwise."""
MAX_RETRY: Final = 10**12
"""Milliseconds; a server that says more says this."""

_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event, as it was sent."""

    type: str
    """``message`` where the block names none."""
    data: str
    id: str
    """The last id that the stream told, in this block or before; empty for none."""
    retry: int | None
    """The milliseconds of the block's own ``retry``, if it has one."""


class Decoder:
    """Bytes in, in pieces of any size; events out, each as soon as its last byte has come.

    A line ends with CR, LF or both, and nothing else: U+2028 and its like are text. What is no
    UTF-8 comes out as U+FFFD. A block without data is no event, but its id and its ``retry`` count.
    A block that the stream breaks off in is dropped with everything that it says.

    An event, or a line, of more than *max_event* bytes is not kept: ``too_large`` is set, and
    nothing comes any more.
    """

    def __init__(self, *, last_event_id: str = "", max_event: int = MAX_EVENT) -> None:
        self.max_event = max_event
        self.retry: int | None = None
        """Milliseconds that the server last asked to wait before a reconnect."""
        self.too_large = False
        self._begin(last_event_id)

    def _begin(self, last_event_id: str) -> None:
        self.last_event_id = last_event_id
        """That of the last block that was whole: where the stream is to be resumed."""
        self._id = last_event_id  # of the block under way
        self._type = ""
        self._data: list[str] = []
        self._size = 0  # characters kept of the block under way
        self._retry: int | None = None
        self._line: list[bytes] = []  # pieces of the line under way
        self._line_size = 0
        self._after_cr = False
        self._head: bytes | None = b""  # until it is known whether there is a BOM

    @property
    def block_id(self) -> str:
        """The id of the block under way, or the one before while it has told none."""
        return self._id

    def reset(self) -> None:
        """Begin with another connection's first byte; ``last_event_id`` stays."""
        self._begin(self.last_event_id)

    def feed(self, piece: bytes) -> list[Event]:
        """The events that *piece* completes."""
        if self.too_large:
            return []
        if self._head is not None:
            self._head += piece
            if len(self._head) < 3 and _BOM.startswith(self._head):
                return []
            piece, self._head = self._head.removeprefix(_BOM), None
        if self._after_cr and piece:  # that line has ended with the CR
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = piece.rfind(b"\n")
        if end < 0:
            self._keep(piece)
            return []
        # decoded line by line it is the same text: no line end is a part of a character
        text = b"".join((*self._line, piece[:end])) if self._line else piece[:end]
        self._line, self._line_size = [], 0
        events = self._lines(text.decode("utf-8", "replace").split("\n"))
        if not self.too_large:
            self._keep(piece[end + 1 :])
        return events

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._line.append(piece)
            self._line_size += len(piece)
            self._bound(self._line_size)

    def _bound(self, more: int = 0) -> None:
        if self._size + more > self.max_event:
            self.too_large = True
            self._data, self._line = [], []

    def _lines(self, lines: list[str]) -> list[Event]:  # noqa: C901 - a branch for each field
        events: list[Event] = []
        data = self._data
        for line in lines:
            if not line:
                self.last_event_id = self._id
                if data:
                    text = data[0] if len(data) == 1 else "\n".join(data)
                    events.append(Event(self._type or "message", text, self._id, self._retry))
                    data.clear()
                self._type, self._retry, self._size = "", None, 0
                continue
            name, _, value = line.partition(":")
            if value[:1] == " ":
                value = value[1:]
            if name == "data":
                data.append(value)
                self._size += len(value) + 1
            elif name == "event":
                self._type = value
                self._size += len(value)
            elif name == "id":
                if "\0" not in value:
                    self._id = value
                    self._size += len(value)
            elif name == "retry":
                if value.isascii() and value.isdigit():
                    self.retry = self._retry = _milliseconds(value)
            else:  # a comment, or a field of the future
                continue
            if self._size > self.max_event:
                self._bound()
                break
        return events


def _milliseconds(digits: str) -> int:
    significant = digits.lstrip("0")  # Python refuses to make a number of thousands of digits
    return MAX_RETRY if len(significant) > 12 else int(significant or "0")
