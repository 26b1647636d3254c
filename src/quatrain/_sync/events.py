# Generated from src/quatrain/_async/events.py by scripts/make_sync.py. Do not edit.
"""The platform's live events: one stream over any number of connections.

Source: contracts, Vendo, "Events (SSE)".
"""

from __future__ import annotations

import logging
import math
import random
import re
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from .._reconnect import Reconnects
from .._runtime._core import CalledOff
from .._sse import MAX_EVENT, Decoder, Event
from .._wire import loads_text
from ..errors import APIError, TransportError
from ..errors.vendo import ValidationError, VendoStreamError
from ..models.vendo import Message
from .hosts import Hosts, VendoAPI
from .open_answers import Inlet
from .transport import Call

_log = logging.getLogger("quatrain.events")

FEATURE: Final = "events.subscribe"
FINAL: Final = frozenset({401, 403})
"""Statuses that end the stream: no reconnect makes the key a better one."""
MAX_ID: Final = 8_192
"""Bytes of an id: servers refuse longer header lines."""
_UNUSABLE: Final = re.compile(r"[\x00-\x1f\x7f]|^ | $")


class EventsAPI:
    """``events``: what happens to the app's connections and its balance, as it happens."""

    def __init__(self, api: VendoAPI) -> None:
        self._api = api

    def subscribe(
        self,
        *,
        last_event_id: str | None = None,
        max_backoff_sec: float = 30.0,
        heartbeat_timeout: float = 75.0,
        max_event_bytes: int = MAX_EVENT,
    ) -> EventStream:
        """The events from now on, or those after *last_event_id*, of which 100 are replayed.

        ::

            for message in vendo.events.subscribe():
                print(message.type, message.data)

        - *max_backoff_sec*: the longest wait before a reconnect; the first is of 1 second.
        - *heartbeat_timeout*: a connection on which nothing, not even a heartbeat, has come for so
          many seconds is given up for another. The platform sends one every 25.
        - *max_event_bytes*: of an event that is taken; a larger one ends the stream.

        Nothing is sent before the first event is asked for. Raises VendoOnlyFeature, here, when
        there is no API key, and ValidationError for arguments that make no sense.
        """
        hosts = self._api.require(FEATURE)
        _check("max_backoff_sec", max_backoff_sec, above=False)
        _check("heartbeat_timeout", heartbeat_timeout)
        _check("max_event_bytes", max_event_bytes)
        if last_event_id is not None and not (
            isinstance(last_event_id, str) and is_usable(last_event_id)
        ):
            raise ValidationError("last_event_id is no id that an event could have had")
        return EventStream(
            hosts,
            last_event_id=last_event_id or "",
            reconnects=Reconnects(max_backoff_sec),
            patience=heartbeat_timeout,
            max_event=max_event_bytes,
        )


class EventStream:
    """``for message in stream``: every event once and in order, for ever.

    A connection that breaks off, and an answer that is none, are followed by another after a wait,
    which grows from 1 second until an event arrives; the platform is told the last event's id, and
    sends the events after it. An answer of 401 or 403 ends the stream with its error: AuthError,
    VendoPermissionError, NotConnected. So does what no reconnect could mend: VendoStreamError.

    Events come as the platform sends them. An event is known by its ``id`` alone, which an old
    alias of it shares; nothing is left out because an id came before.

    Leaving the loop closes the connection, however it is left. The stream may be taken up again by
    another loop, and goes on after the last event that came; after a restart of the program
    ``subscribe(last_event_id=…)`` does. ``stream.close()`` and ``with stream`` end
    it for good, from any task or thread; so does closing the client. A loop that waits for an
    event then ends.
    """

    _inlet: Inlet | None = None

    def __init__(
        self,
        hosts: Hosts,
        *,
        last_event_id: str,
        reconnects: Reconnects,
        patience: float,
        max_event: int,
    ) -> None:
        self._hosts = hosts
        self._clock = hosts.platform.clock
        self._reconnects = reconnects
        self._patience = patience
        self._decoder = Decoder(last_event_id=last_event_id, max_event=max_event)
        self._last_event_id = last_event_id or None
        self._ready: deque[Message] = deque()
        self._over = False
        """Closed, perhaps by another thread: what is ready is then the reader's to leave alone."""
        self._due = -math.inf
        self._error: Exception | None = None
        self._inlet = Inlet(hosts.platform)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that was handed out: ``subscribe`` resumes after it.

        None before one was, and where the platform gives none.
        """
        return self._last_event_id

    def __iter__(self) -> Iterator[Message]:
        return _Loop(self)

    def __next__(self) -> Message:
        inlet = self._inlet
        if inlet is None:
            raise StopIteration
        while not self._over:
            try:
                message = self._ready.popleft()
            except IndexError:
                pass
            else:
                self._last_event_id = message.id
                return message
            if self._error is not None:  # its turn comes after the events before it
                error, self._error = self._error, None
                self.close()
                try:
                    raise error
                finally:  # no cycle of it, its traceback and this frame
                    del error
            try:
                inlet.take(self._turn, inlet)
            except CalledOff:
                break
        raise StopIteration

    def _turn(self, inlet: Inlet) -> None:
        """Wait, open a connection or read from it: whatever comes next."""
        try:
            if inlet.is_open:
                self._read(inlet)
            else:
                wait = self._due - self._clock.now()
                if wait > 0:
                    inlet.sleep(self._clock, wait)
                self._open(inlet)
        except APIError as exc:
            if exc.status_code in FINAL:
                self._error = exc
            else:
                self._failed(str(exc), exc.retry_after)
        except TransportError as exc:
            self._failed(str(exc))

    def _open(self, inlet: Inlet) -> None:
        self._decoder.reset()
        last = self._decoder.last_event_id
        if not is_usable(last):
            self._error = VendoStreamError(
                "the stream broke off after an event whose id can't be sent back",
                code="event_id_unusable",
                last_event_id=last,
                event_id=last,
            )
            return
        head = inlet.open(self._call(last))
        media_type = (head.header(b"content-type") or "").partition(";")[0].strip().lower()
        if head.status != 200 or media_type != "text/event-stream":
            inlet.leave()
            self._failed(f"the answer is no stream of events: {head.status}, {media_type!r}")
            return
        _log.debug("connected, to hear what comes after event %s", last or "(none)")

    def _call(self, last_event_id: str) -> Call:
        headers = {
            **self._hosts.headers,
            "accept": "text/event-stream",
            "accept-encoding": "identity",
            "cache-control": "no-store",
        }
        if last_event_id:
            headers["last-event-id"] = last_event_id.encode().decode("latin-1")
        return Call(
            name=f"vendo.{FEATURE}",
            method="GET",
            path=("api", "deployments", "me", "events"),
            headers=headers,
            patience=self._patience,
        )

    def _read(self, inlet: Inlet) -> None:
        """Until an event has come, or an end."""
        decoder = self._decoder
        while not self._ready and not decoder.too_large:
            piece = inlet.read()
            if not piece:
                self._failed("the platform ended the answer")
                return
            self._reconnects.bytes_arrived()
            if events := decoder.feed(piece):
                self._reconnects.event_arrived()
                self._ready.extend([_message(event) for event in events])
            else:  # an id that came without an event says where to go on as well
                self._last_event_id = decoder.last_event_id or None
            if decoder.retry is not None:
                self._reconnects.asked_to_wait(decoder.retry)
        if decoder.too_large:
            inlet.leave()
            self._error = VendoStreamError(
                f"an event of more than {decoder.max_event:,} bytes came;"
                " max_event_bytes says how large one may be",
                code="event_too_large",
                last_event_id=decoder.last_event_id or None,
                event_id=decoder.block_id or None,
            )

    def _failed(self, why: str, retry_after: float | None = None) -> None:
        wait = self._reconnects.wait(random.random(), retry_after)  # noqa: S311 - it spreads load
        self._due = self._clock.now() + wait
        _log.debug("%s; the next try is in %.1f s", why, wait)
        if self._reconnects.failed():
            where = self._hosts.platform.origin.base_url
            _log.warning("no events come from %s, and it is tried again for ever: %s", where, why)

    def _left(self) -> None:
        """A loop was left: the connection is closed, and nothing that has come is lost."""
        if self._inlet is not None:
            self._inlet.drop()

    def close(self) -> None:
        """End the stream: no more events come. From any task or thread; twice is fine."""
        self._over = True
        if self._inlet is not None:
            self._inlet.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self._hosts.platform.origin.base_url
        return f"<{type(self).__name__} {where}, last_event_id={self._last_event_id!r}>"

    def __del__(self) -> None:
        if self._inlet is not None:
            self._inlet.abandon()


class _Loop(Iterator[Message]):
    """One loop over a stream: left in any way, it is collected, and the connection closed."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    def __next__(self) -> Message:
        return self._stream.__next__()

    def __del__(self) -> None:
        self._stream._left()  # noqa: SLF001 - the two are one thing


def is_usable(event_id: str) -> bool:
    """Whether *event_id* can be sent back, in a header."""
    try:
        return len(event_id.encode()) <= MAX_ID and _UNUSABLE.search(event_id) is None
    except UnicodeEncodeError:
        return False


def _message(event: Event) -> Message:
    try:
        data: Any = loads_text(event.data)
    except ValueError:
        data = event.data
    return Message(event.type, data, event.id or None, event.retry)


def _check(name: str, value: Any, *, above: bool = True) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value < math.inf and (value or not above)):
        least = "above 0" if above else "0 or more"
        raise ValidationError(f"{name} has to be a finite number, {least}")
