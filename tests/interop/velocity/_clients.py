"""The three clients of Velocity OS behind one face, so that one scenario drives them all."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import anyio
import attrs

from quatrain.velocity import AsyncVelocityOS, VelocityOS

from ..._doubles import AsyncInstantClock, InstantClock
from ..._require import import_for

official = import_for("interop", "velocity_os", "velocity-os")


@attrs.frozen
class Agent:
    """A client, called from async code whatever its flavour."""

    client: Any

    async def do(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call ``client.tasks.list`` for ``tasks.list``, in a thread if it blocks."""
        fn: Callable[..., Any] = functools.reduce(getattr, method.split("."), self.client)
        if inspect.iscoroutinefunction(fn):
            return await fn(*args, **kwargs)
        return await anyio.to_thread.run_sync(functools.partial(fn, *args, **kwargs))


class Opener(Protocol):
    """Makes an agent of a client with this key at this origin."""

    def __call__(
        self, api_key: str, origin: str, **settings: Any
    ) -> contextlib.AbstractAsyncContextManager[Agent]: ...


@contextlib.asynccontextmanager
async def official_agent(api_key: str, origin: str, **settings: Any) -> AsyncIterator[Agent]:
    """The vendor's own client."""
    with official.VelocityOS(api_key, base_url=origin, **settings) as client:
        yield Agent(client)


@contextlib.asynccontextmanager
async def async_agent(api_key: str, origin: str, **settings: Any) -> AsyncIterator[Agent]:
    """AsyncVelocityOS."""
    clock = AsyncInstantClock()
    async with AsyncVelocityOS(api_key, base_url=origin, clock=clock, **settings) as client:
        yield Agent(client)


@contextlib.asynccontextmanager
async def sync_agent(api_key: str, origin: str, **settings: Any) -> AsyncIterator[Agent]:
    """VelocityOS, in a thread."""
    with VelocityOS(api_key, base_url=origin, clock=InstantClock(), **settings) as client:
        yield Agent(client)
