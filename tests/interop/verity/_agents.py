"""The three clients behind one face, so that one scenario drives them all."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import anyio
import attrs

from quatrain.verity import AsyncVerityClient, ConflictRetryConfig, VerityClient

from ..._doubles import AsyncManualClock, ManualClock
from ..._require import import_for
from .._platform import ServedPlatform

official = import_for("interop", "verity", "verityinc-sdk")

NAMESPACE = "payments"
RENEWAL_DUE = 20.0
"""Seconds; a renewal of a lease of the usual 30 falls due within them, a second one doesn't."""


@attrs.frozen
class Outcome:
    """A result, or an exception's class and what that is a kind of, by name."""

    result: str | None
    raised: tuple[str, ...] = ()

    def same_as(self, official: Outcome) -> bool:
        """Whether it is what the official client's caller gets, or a more exact error."""
        if official.raised:
            return official.raised[0] in self.raised
        return self.result == official.result


@attrs.frozen
class Agent:
    """A client, and what differs about driving it."""

    client: Any
    platform: ServedPlatform
    api_key: str = attrs.field(repr=False)
    lasting_act: Callable[[], Callable[[], Any]]
    """Makes an ``act`` that lasts until its lease has been renewed once."""

    async def do(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method of the client, in a thread if it blocks."""
        if inspect.iscoroutinefunction(fn):
            return await fn(*args, **kwargs)
        return await anyio.to_thread.run_sync(functools.partial(fn, *args, **kwargs))

    async def protect(self, effect_key: str, **options: Any) -> Any:
        """``client.protect``."""
        return await self.do(self.client.protect, effect_key, **options)

    async def outcome(self, doing: Awaitable[Any]) -> Outcome:
        """What comes of it, in words that are the same for every client."""
        try:
            return Outcome(repr(await doing))
        except Exception as exc:
            return Outcome(None, tuple(kind.__name__ for kind in type(exc).__mro__))


class Opener(Protocol):
    """Makes an agent; *settings* are the client's."""

    def __call__(
        self, platform: ServedPlatform, **settings: Any
    ) -> contextlib.AbstractAsyncContextManager[Agent]: ...


@contextlib.asynccontextmanager
async def official_agent(platform: ServedPlatform, **settings: Any) -> AsyncIterator[Agent]:
    """The vendor's own client."""
    api_key = platform.make_key()
    given = _settings(official.ConflictRetryConfig, platform, api_key)
    async with official.VerityClient(**(given | settings)) as client:

        def lasting_act() -> Callable[[], Any]:
            # it waits on the real clock, three seconds at least: not here
            delays = iter([0.0])
            client._compute_renewal_delay = lambda _: next(delays, 3_600.0)
            return renewed

        async def renewed() -> str:
            await anyio.to_thread.run_sync(platform.recorder.wait_for, "renew")
            return "done"

        yield Agent(client, platform, api_key, lasting_act)


@contextlib.asynccontextmanager
async def async_agent(platform: ServedPlatform, **settings: Any) -> AsyncIterator[Agent]:
    """AsyncVerityClient, on a clock of its own."""
    api_key = platform.make_key()
    clock = AsyncManualClock()
    given = _settings(ConflictRetryConfig, platform, api_key)

    async def renewed() -> str:
        await clock.advance(RENEWAL_DUE)
        await anyio.to_thread.run_sync(platform.recorder.wait_for, "renew")
        return "done"

    async with AsyncVerityClient(clock=clock, **(given | settings)) as client:
        yield Agent(client, platform, api_key, lambda: renewed)


@contextlib.asynccontextmanager
async def sync_agent(platform: ServedPlatform, **settings: Any) -> AsyncIterator[Agent]:
    """VerityClient in a thread, on a clock of its own."""
    api_key = platform.make_key()
    clock = ManualClock()
    given = _settings(ConflictRetryConfig, platform, api_key)

    def renewed() -> str:
        clock.advance(RENEWAL_DUE)
        platform.recorder.wait_for("renew")
        return "done"

    with VerityClient(clock=clock, **(given | settings)) as client:
        yield Agent(client, platform, api_key, lambda: renewed)


def _settings(retry: Callable[..., Any], platform: ServedPlatform, api_key: str) -> dict[str, Any]:
    return {
        "base_url": platform.base_url,
        "api_key": api_key,
        "namespace": NAMESPACE,
        "conflict_retry": retry(max_attempts=4, initial_delay_s=0.001, jitter=False),
    }
