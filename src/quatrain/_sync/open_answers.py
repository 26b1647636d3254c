# Generated from src/quatrain/_async/open_answers.py by scripts/make_sync.py. Do not edit.
"""Answers that stay open: their bodies are pulled piece by piece, and anybody may end that.

Each has a connection of its own, outside the bound on requests in flight.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import httpcore
import httpx

from .. import _http
from .._address import without
from .._http import Answer, Outgoing
from .._part_file import Unpacker
from .._runtime._sync import Clock, Fn, Once, Steps, finish
from .inflow import ERROR_BODY
from .lanes import Lane, leave, make_lane

if TYPE_CHECKING:
    from .transport import Call, Transport

T = TypeVar("T")


@attrs.define(eq=False)
class OpenAnswers:
    """Those of one client on one loop, so that they end with either."""

    inlets: set[Inlet] = attrs.field(factory=set)
    left: set[OpenAnswer] = attrs.field(factory=set)
    """Open, or left a moment ago and not closed yet."""

    def close(self) -> None:
        """Close what they have open; stop all, unless it is but their loop that ends."""
        for inlet in list(self.inlets):
            inlet.end()


class OpenAnswer:
    """An answer whose head has come, over a connection of its own."""

    def __init__(
        self,
        response: httpcore.Response | httpx.Response,
        head: Answer,
        pieces: Iterator[bytes],
        steps: Steps,
        lane: Lane | None,
    ) -> None:
        self.head = head
        """Without a body."""
        self.alone = lane is not None
        """Whether nobody else has to do with its connection."""
        self._response = response
        self._pieces = pieces
        self._steps = steps
        self._lane = lane
        self._closing = Once()
        self._on_closed: Callable[[], object] | None = None
        self._unpacker: Unpacker | None = None
        self._unpacked: Iterator[bytes] = iter(())

    @classmethod
    def over_lane(cls, request: Outgoing, steps: Steps) -> OpenAnswer:
        """The answer to *request*, over a lane of its own."""
        lane = make_lane(
            request.origin, lambda stream: steps.use(functools.partial(_http.cut, stream))
        )
        try:
            response = lane.handle_request(request.for_lane())
        except BaseException:
            steps.use(None)
            finish(lane.close)
            raise
        head = Answer(response.status, response.headers, b"")
        return cls(response, head, response.iter_stream(), steps, lane)

    @classmethod
    def over_client(cls, request: Outgoing, client: httpx.Client, steps: Steps) -> OpenAnswer:
        """The answer to *request*, over a caller's *client*."""
        response = client.send(request.for_client(), auth=None, follow_redirects=False, stream=True)
        headers, pieces = response.headers.raw, response.iter_raw()
        if response.is_stream_consumed:  # by an event hook, or a stand-in's: read, and unpacked
            headers = without(headers, b"content-encoding", b"content-length")
            pieces = _one(response.content)
        network = response.extensions.get("network_stream")
        if network is None or response.http_version == "HTTP/2":  # its socket is others' as well
            steps.use(response.close, locks=True)
        else:
            steps.use(functools.partial(_http.cut, network))
        return cls(response, Answer(response.status_code, headers, b""), pieces, steps, None)

    def on_closed(self, fn: Callable[[], object]) -> None:
        """Have *fn* called when it is."""
        self._on_closed = fn

    def read(self) -> bytes:
        """The next piece of its body, unpacked; empty at its end.

        Raises what the HTTP stack does, and ValueError for a body that can't be unpacked.
        """
        if self._unpacker is None:
            self._unpacker = Unpacker(self.head.header(b"content-encoding"))
        while True:
            for data in self._unpacked:
                if data:
                    return data
            try:
                piece = next(self._pieces)
            except StopIteration:
                return b""
            self._unpacked = self._unpacker.feed(piece)

    def whole(self) -> Answer:
        """The answer with the first part of its body; it is closed then."""
        content = bytearray()
        try:
            for piece in self._pieces:
                content += piece
                if len(content) >= ERROR_BODY:
                    break
        finally:
            self.close()
        try:
            return Answer.decoded(self.head.status, self.head.headers, bytes(content))
        except httpx.DecodingError:  # it was cut
            return self.head

    def close(self) -> None:
        """Close its connection. By whoever reads from it, or while nobody does; twice is fine."""
        self._closing.do(self._close)

    def _close(self) -> None:
        self._steps.use(None)
        with suppress(Exception):  # what it was good for is over, however it ends
            leave(self._response, self._pieces)
        if self._lane is not None:
            with suppress(Exception):
                self._lane.close()
        if self._on_closed is not None:
            self._on_closed()


class Inlet:
    """Where open answers come in, one after the other, for as long as anybody wants them.

    One task or thread at a time takes steps: it opens, it reads. Others may close it at any
    moment. Whoever uses it holds it, and it holds nothing of theirs.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._steps = Steps()
        self._answer: OpenAnswer | None = None
        self._known_to: OpenAnswers | None = None
        self._pid = os.getpid()

    @property
    def is_open(self) -> bool:
        """Whether there is an answer to read from."""
        return self._answer is not None

    def take(self, fn: Fn[..., T], *args: Any) -> T:
        """``fn(*args)`` as one step. Raises CalledOff when this is closed, before or meanwhile."""
        if self._pid != os.getpid():  # the connection is the parent's; closed here it is open there
            self._pid, self._steps, self._answer = os.getpid(), Steps(), None
        return self._steps.take(fn, *args)

    def sleep(self, clock: Clock, seconds: float) -> None:
        """Wait, within a step."""
        self._steps.sleep(clock, seconds)

    def open(self, call: Call) -> Answer:
        """Send *call*, within a step; the head of a success, whose body is to be read.

        Raises as ``transport.open`` does.
        """
        self._known_to = known_to = self._transport.open_answers()
        known_to.inlets.add(self)
        answer = self._transport.open(call, self._steps)
        answer.on_closed(functools.partial(known_to.left.discard, answer))
        known_to.left.add(answer)
        self._answer = answer
        return answer.head

    def read(self) -> bytes:
        """The next piece of the body, within a step; empty at its end.

        It is closed then, and whenever there is no next piece: where this is cancelled, and where
        it raises the family's TransportError.
        """
        if self._answer is None:
            raise RuntimeError("nothing is open")
        try:
            piece = self._answer.read()
        except Exception as exc:
            error = self._transport.cut_off(exc)
            self.leave()
            raise error from exc
        except BaseException as exc:
            _http.forget_frames(exc)
            self.leave()
            raise
        if not piece:
            self.leave()
        return piece

    def leave(self) -> None:
        """Close the answer, within a step; another may be opened."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def drop(self) -> None:
        """``leave`` soon, unless a step is under way. Also from where garbage is collected."""
        if self._steps.free and self._pid == os.getpid():
            answer, self._answer = self._answer, None
            if answer is not None:
                self._steps.leave(answer.close, alone=answer.alone)

    def end(self) -> None:
        """Its loop ends, and it may go on with another; or its client is closed, and it may not."""
        if self._transport.closed or not self._steps.free:
            self.close()
        else:
            self._forget()
            self.leave()

    def abandon(self) -> None:
        """Nobody will take a step any more."""
        self.drop()
        self._forget()

    def close(self) -> None:
        """End it for good, from any task or thread: a step under way ends at once."""
        if self._pid == os.getpid():
            self._steps.stop(self.leave)
            self._forget()

    def _forget(self) -> None:
        if self._known_to is not None:
            self._known_to.inlets.discard(self)


def _one(content: bytes) -> Iterator[bytes]:
    yield content
