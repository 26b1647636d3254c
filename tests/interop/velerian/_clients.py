"""The three clients of Velerian behind one face, so that one scenario drives them all."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator
from typing import Any, Protocol

import anyio
import attrs

from quatrain.velerian import AsyncVelerianClient, VelerianClient

from ..._doubles import AsyncInstantClock, InstantClock
from ..._require import import_for

official = import_for("interop", "velerian_sdk", "velerian-sdk")


@attrs.frozen
class Agent:
    """A client, called from async code whatever its flavour."""

    client: Any

    async def do(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method, in a thread if it blocks."""
        fn = getattr(self.client, method)
        if inspect.iscoroutinefunction(fn):
            return await fn(*args, **kwargs)
        return await anyio.to_thread.run_sync(functools.partial(fn, *args, **kwargs))

    async def rows(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Everything that a method walks through."""
        walk = getattr(self.client, method)(*args, **kwargs)
        if hasattr(walk, "__aiter__"):
            return [row async for row in walk]
        return await anyio.to_thread.run_sync(list, walk)


class Opener(Protocol):
    """Makes an agent of a client with this key at this origin."""

    def __call__(
        self, api_key: str, origin: str, **settings: Any
    ) -> contextlib.AbstractAsyncContextManager[Agent]: ...


@contextlib.asynccontextmanager
async def official_agent(api_key: str, origin: str, **settings: Any) -> AsyncIterator[Agent]:
    """The vendor's own client."""
    with official.VelerianClient(api_key=api_key, base_url=origin, **settings) as client:
        yield Agent(client)


@contextlib.asynccontextmanager
async def async_agent(api_key: str, origin: str, **settings: Any) -> AsyncIterator[Agent]:
    """AsyncVelerianClient."""
    settings["clock"] = AsyncInstantClock()
    async with AsyncVelerianClient(api_key=api_key, base_url=origin, **settings) as client:
        yield Agent(client)


@contextlib.asynccontextmanager
async def sync_agent(api_key: str, origin: str, **settings: Any) -> AsyncIterator[Agent]:
    """VelerianClient, in a thread."""
    settings["clock"] = InstantClock()
    with VelerianClient(api_key=api_key, base_url=origin, **settings) as client:
        yield Agent(client)
