"""Both flavours behind one way to call them, for tests that only look at what comes of it."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel

from quatrain._runtime import _async, _sync
from quatrain.verity import AsyncVerityClient, VerityClient

KEY = "vt_test_do_not_show_me"
FLAVOURS = ["asyncio", "trio", "sync"]


class AsyncQuickClock(_async.Clock):
    """Real time, except that nobody waits before trying again: renewals wait longer."""

    async def sleep(self, seconds: float) -> None:
        if seconds < 3:
            await anyio.lowlevel.checkpoint()
        else:
            await super().sleep(seconds)


class QuickClock(_sync.Clock):
    """Real time, except that nobody waits before trying again; renewals don't sleep so."""

    def sleep(self, seconds: float) -> None:
        pass


def use(flavour: str, url: str, *calls: tuple[str, dict[str, Any]], **settings: Any) -> list[Any]:
    """Do *calls* — a method's name and its arguments — with one client; their results."""
    settings = {"base_url": url, "api_key": KEY, "namespace": "ns"} | settings
    if flavour == "sync":
        with VerityClient(clock=QuickClock(), **settings) as client:
            return [getattr(client, method)(**arguments) for method, arguments in calls]

    async def main() -> list[Any]:
        async with AsyncVerityClient(clock=AsyncQuickClock(), **settings) as client:
            return [await getattr(client, method)(**arguments) for method, arguments in calls]

    results: list[Any] = anyio.run(main, backend=flavour)
    return results


def lease(key: str = "k") -> tuple[str, dict[str, Any]]:
    """The call of one lease request."""
    return "request_lease", {"namespace": "ns", "body": {"effectKey": key}}


def commit(result: Any = "r") -> tuple[str, dict[str, Any]]:
    """The call of one commit."""
    body = {"effectKey": "k", "fenceToken": 1, "leaseToken": "lease-token-1", "result": result}
    return "commit", {"namespace": "ns", "body": body}
