"""Single-connection httpx transports, instead of one pool.

httpcore's pool looks through all its connections on every request, and a cancelled request can
keep its slot for ever. Here a request takes the lane that was used last, or makes one; the lane
goes back when the answer's body has been read to its end, and is dropped on any error or
cancellation, so that nobody is handed a half-read answer. TLS, proxies and HTTP stay httpx's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import cast

import httpx

from .._http import KEEPALIVE_EXPIRY
from .._runtime._async import Clock, Limiter, finish


class AsyncLanes(httpx.AsyncBaseTransport):
    """A last-in-first-out stack of lanes with a bound on how many are in use at once."""

    def __init__(
        self, make: Callable[[], httpx.AsyncBaseTransport], *, limit: int, clock: Clock
    ) -> None:
        self._make = make
        self._clock = clock
        self._limiter = Limiter(limit)
        self._idle: deque[tuple[httpx.AsyncBaseTransport, float]] = deque()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* over a lane of its own; waits while all are in use."""
        await self._limiter.acquire()
        try:
            lane = self._take()
            try:
                response = await lane.handle_async_request(request)
            except BaseException:
                await finish(lane.aclose)
                raise
        except BaseException:
            self._limiter.release()
            raise
        response.stream = _LaneStream(self, lane, cast("httpx.AsyncByteStream", response.stream))
        return response

    def _take(self) -> httpx.AsyncBaseTransport:
        try:
            return self._idle.pop()[0]
        except IndexError:
            return self._make()

    async def give_back(self, lane: httpx.AsyncBaseTransport, *, whole: bool) -> None:
        """The answer has been read (*whole*), or was left; a lane left half-read is dropped."""
        self._limiter.release()
        if self._closed or not whole:
            await finish(lane.aclose)
            return
        now = self._clock.now()
        self._idle.append((lane, now))
        if self._closed:  # by another thread, which may have been through the idle lanes already
            await self.aclose()
        else:
            await self._close_idle(before=now - KEEPALIVE_EXPIRY)

    async def aclose(self) -> None:
        """Close the idle lanes now, and those in use when they are given back."""
        self._closed = True
        await self._close_idle(before=math.inf)

    async def _close_idle(self, *, before: float) -> None:
        """Close those last used *before* then. Taken out to be looked at: threads share them."""
        with suppress(IndexError):  # no more of them
            while True:
                lane, used = self._idle.popleft()
                if used >= before:
                    self._idle.appendleft((lane, used))
                    return
                await finish(lane.aclose)


class _LaneStream(httpx.AsyncByteStream):
    def __init__(
        self, lanes: AsyncLanes, lane: httpx.AsyncBaseTransport, body: httpx.AsyncByteStream
    ) -> None:
        self._lanes = lanes
        self._lane = lane
        self._body = body
        self._whole = False
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk
        self._whole = True

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._body.aclose()
        except BaseException:
            self._whole = False
            raise
        finally:
            await self._lanes.give_back(self._lane, whole=self._whole)
