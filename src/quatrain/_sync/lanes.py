# Generated from src/quatrain/_async/lanes.py by scripts/make_sync.py. Do not edit.
"""Single-connection httpx transports, instead of one pool.

httpcore's pool looks through all its connections on every request, and a cancelled request can
keep its slot for ever. Here a request takes the lane that was used last, or makes one; the lane
goes back when the answer's body has been read to its end, and is dropped on any error or
cancellation, so that nobody is handed a half-read answer. TLS, proxies and HTTP stay httpx's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

import httpx

from .._http import KEEPALIVE_EXPIRY
from .._runtime._sync import Clock, Limiter, finish


class Lanes(httpx.BaseTransport):
    """A last-in-first-out stack of lanes with a bound on how many are in use at once."""

    def __init__(
        self, make: Callable[[], httpx.BaseTransport], *, limit: int, clock: Clock
    ) -> None:
        self._make = make
        self._clock = clock
        self._limiter = Limiter(limit)
        self._idle: deque[tuple[httpx.BaseTransport, float]] = deque()
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* over a lane of its own; waits while all are in use."""
        self._limiter.acquire()
        try:
            lane = self._take()
            try:
                response = lane.handle_request(request)
            except BaseException:
                finish(lane.close)
                raise
        except BaseException:
            self._limiter.release()
            raise
        response.stream = _LaneStream(self, lane, cast("httpx.SyncByteStream", response.stream))
        return response

    def _take(self) -> httpx.BaseTransport:
        try:
            return self._idle.pop()[0]
        except IndexError:
            return self._make()

    def give_back(self, lane: httpx.BaseTransport, *, whole: bool) -> None:
        """The answer has been read (*whole*), or was left; a lane left half-read is dropped."""
        self._limiter.release()
        if self._closed or not whole:
            finish(lane.close)
            return
        now = self._clock.now()
        self._idle.append((lane, now))
        if self._closed:  # by another thread, which may have been through the idle lanes already
            self.close()
        else:
            self._close_idle(before=now - KEEPALIVE_EXPIRY)

    def close(self) -> None:
        """Close the idle lanes now, and those in use when they are given back."""
        self._closed = True
        self._close_idle(before=math.inf)

    def _close_idle(self, *, before: float) -> None:
        """Close those last used *before* then. Taken out to be looked at: threads share them."""
        with suppress(IndexError):  # no more of them
            while True:
                lane, used = self._idle.popleft()
                if used >= before:
                    self._idle.appendleft((lane, used))
                    return
                finish(lane.close)


class _LaneStream(httpx.SyncByteStream):
    def __init__(self, lanes: Lanes, lane: httpx.BaseTransport, body: httpx.SyncByteStream) -> None:
        self._lanes = lanes
        self._lane = lane
        self._body = body
        self._whole = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._body:
            yield chunk
        self._whole = True

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._body.close()
        except BaseException:
            self._whole = False
            raise
        finally:
            self._lanes.give_back(self._lane, whole=self._whole)
