# Generated from src/quatrain/_async/inflow.py by scripts/make_sync.py. Do not edit.
"""Answers whose bodies are handed on piece by piece, as they come in."""

from __future__ import annotations

from typing import Final

import httpx

from .._address import without
from .._http import Answer
from .._runtime._sync import Fn
from .lanes import pour

ERROR_BODY: Final = 65_536
"""Bytes that are read of an error where a body was to be streamed."""


class Inflow:
    """One answer as it comes in: a success is handed on, an error is kept for its words."""

    def __init__(self, keep: Fn[[Answer, bytes], None]) -> None:
        self._keep = keep
        self._content = bytearray()
        self.begun = False
        """Whether any of a success has been handed on."""
        self.failure: Exception | None = None
        """What whoever it was handed to raised: no fault of the answer's."""

    def take(self, head: Answer, piece: bytes) -> bool:
        """Take *piece*; whether more of them are wanted."""
        if not head.ok:
            self._content += piece
            return len(self._content) < ERROR_BODY
        self.begun = True
        try:
            self._keep(head, piece)
        except Exception as exc:  # noqa: BLE001 - raised again outside of the exchange
            self.failure = exc
            return False
        return True

    def whole(self, head: Answer) -> Answer:
        """The answer; with its body where that is an error's."""
        if head.ok:
            return head
        try:
            return Answer.decoded(head.status, head.headers, bytes(self._content))
        except httpx.DecodingError:  # it was cut
            return head


def pour_of_client(response: httpx.Response, inflow: Inflow) -> Answer:
    """All of an answer, which a caller's client has got, into *inflow*."""
    headers = response.headers.raw
    if response.is_stream_consumed:  # by an event hook, or it is a stand-in's: read, and unpacked
        headers = without(headers, b"content-encoding", b"content-length")
        head = Answer(response.status_code, headers, b"")
        if response.content:
            inflow.take(head, response.content)
        response.close()
    else:
        head = Answer(response.status_code, headers, b"")
        pour(head, response, response.iter_raw(), inflow.take)
    return inflow.whole(head)
