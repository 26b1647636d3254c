"""What supervisors and load balancers ask: is it alive, should it get work. No key is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from quatrain._version import __version__

from .asgi import Receive, Scope, Send, send_json
from .problems import method_not_allowed
from .store import Store, StoreUnavailableError

_PROBE_TIMEOUT: Final = 5.0
"""Seconds; whoever asks does not wait for ever, either."""
_SILENT: Final = "the database does not answer"


class Health:
    """``/healthz``: 200 while a write reaches the disk. Whoever restarts it may ask this."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer at once when the store says no, and in bounded time when it says nothing."""
        _check_method(scope)
        reason = await _reason(self._store.probe())
        if reason is None:
            await send_json(send, 200, {"status": "ok"})
        else:
            await send_json(send, 503, {"status": "unavailable", "message": reason})


class Readiness:
    """``/readyz``: 200 only while leases are granted and commits accepted, else 503 and why.

    Beyond the write that ``/healthz`` tries, it looks at what befell the last real changes, at
    the room that is left on the disk, and at the schema, which a newer process may have changed.
    Whoever sends work its way asks this.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """In bounded time."""
        _check_method(scope)
        reasons = await self.reasons()
        status, code = ("unavailable", 503) if reasons else ("ready", 200)
        content = {"status": status, "version": __version__, "reasons": reasons}
        await send_json(send, code, content)

    async def reasons(self) -> list[str]:
        """Why no work should come; none when it should."""
        if (reason := await _reason(self._store.probe())) is not None:
            return [reason]
        found: list[str] = []

        async def look() -> None:
            found.extend(await asyncio.to_thread(self._store.troubles))

        reason = await _reason(look())
        return found if reason is None else [reason]


async def _reason(question: Awaitable[Any]) -> str | None:
    """Why *question* has no answer; None when it has one."""
    try:
        await asyncio.wait_for(question, _PROBE_TIMEOUT)
    except StoreUnavailableError as exc:
        return str(exc)
    except TimeoutError:
        return _SILENT
    return None


def _check_method(scope: Scope) -> None:
    if scope["method"] not in {"GET", "HEAD"}:
        raise method_not_allowed("GET")
