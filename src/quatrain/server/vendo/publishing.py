"""Events that are published as such, and for how long any event is kept.

Most events are written with the change that they tell of; those of here tell of nothing that
happened on this platform: they are for tests, demos, and who simulates a Vendo under load.
Source: contracts, Vendo, "Events (SSE)".
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.background import Background, Outage
from quatrain.server.problems import accepted
from quatrain.server.store import Connection, Store, queries

from . import apps
from .events import emit_all
from .records import NotThereError

FIELDS: Final[dict[str, dict[str, type]]] = {
    "connection.connected": {"slug": str, "connection_id": str},
    "connection.disconnected": {"slug": str, "connection_id": str},
    "connection.changed": {"slug": str, "connection_id": str},
    "connection.status_changed": {"slug": str, "connection_id": str, "status": str},
    "billing.usage_recorded": {"provider": str, "micros": int},
    "billing.balance_changed": {"remaining_micros": int},
    "billing.cap_warned": {"window": str, "pct": int},
    "billing.cap_tripped": {"window": str},
}
"""The contract's kinds, and what each tells."""
AT_ONCE: Final = 1_000
"""Events that are published in one step."""
MAX_TEXT: Final = 1_000
KEPT: Final = 1_000
"""Of an app's events so many are kept in any case, the newest."""
KEPT_MS: Final = 24 * 60 * 60 * 1_000
"""Older ones are forgotten once they are this old."""
MOST: Final = 100_000
"""More of an app's events than the newest so many are not kept, however new they are: a stream that
is so far behind is ended."""
_STEP: Final = 500
"""Rows that are deleted in one go, so that no write waits for long behind it."""
_SWEEP_EVERY: Final = 60.0

_SQL: Final = queries.load("vendo_events")


@attrs.frozen
class Event:
    """An event as it is asked for; it gets its id and its time when it is written."""

    kind: str
    fields: dict[str, Any]

    def check(self) -> None:
        """Raise InputError unless it is one of the contract's."""
        wanted = FIELDS.get(self.kind)
        if wanted is None:
            raise InputError(f"there is no event {self.kind[:50]!r}; there are {', '.join(FIELDS)}")
        if self.fields.keys() != wanted.keys():
            raise InputError(f"{self.kind} tells {', '.join(wanted)}, and nothing else")
        for name, kind in wanted.items():
            _check_value(f"{self.kind}: {name}", self.fields[name], kind)


def _check_value(name: str, value: Any, kind: type) -> None:
    if type(value) is not kind:
        raise InputError(f"{name} must be {'text' if kind is str else 'a whole number'}")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise InputError(f"{name} has more than {MAX_TEXT:,} characters")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InputError(f"{name} is out of range")


class Publisher:
    """Publishes events of a tenant's apps, and forgets old ones."""

    def __init__(self, store: Store, *, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def publish(self, tenant: str, events: Sequence[Event], *, app: str | None = None) -> int:
        """Tell the tenant's apps, or the one with this slug; how many apps that were.

        The events are on the disk together, in their order, when this returns; open streams are
        told at once. At most 1,000. Raises InputError for what is no event of the contract's,
        NotThereError for an app that there is not.
        """
        if len(events) > AT_ONCE:
            raise InputError(f"at most {AT_ONCE:,} events are published at once")
        for event in events:
            event.check()
        params = {"tenant": tenant, "slug": app, "events": events}
        told: int = accepted(await self._store.write(_publish, params))
        self._wake()
        return told

    async def sweep(self) -> bool:
        """Forget some old events; whether there may be more."""
        # counted by a reader: no write has to wait for that
        crowded = await self._store.read(_crowded, None)
        return bool(crowded) and await self._store.write(_forget_some, crowded)

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Forget old events from time to time, in the background."""
        background: Background[None] = Background(
            self._sweep_due,
            name="vendo-events",
            poll=_SWEEP_EVERY,
            grace=1.0,
            finding=Outage(logging.getLogger("quatrain.server.vendo"), "old events stay"),
        )
        try:
            yield
        finally:
            await background.stop()

    async def _sweep_due(self) -> float:
        return 0.0 if await self.sweep() else _SWEEP_EVERY


# -- operations of the store ----------------------------------------------------------------------


def _publish(connection: Connection, now: int, params: dict[str, Any]) -> int | NotThereError:
    slug = params["slug"]
    if slug is None:
        rows = connection.execute(_SQL["apps_of_tenant"], params).fetchall()
        ids = [app_id for (app_id,) in rows]
    else:
        app = apps.find(connection, now, params)
        if app is None:
            return NotThereError(f"there is no app {slug[:50]!r}")
        ids = [app.id]
    told = [(event.kind, event.fields) for event in params["events"]]
    for app_id in ids:
        emit_all(connection, now, app_id, told)
    return len(ids)


@attrs.frozen
class _Crowded:
    """An app that has more events than are kept in any case."""

    app_id: int
    kept: int
    """The oldest of those."""
    most: int
    """What is older is forgotten, however new; 0 when the app has not so many."""


def _crowded(connection: Connection, _now: int, _: None) -> list[_Crowded]:
    found = []
    for (app_id,) in connection.execute(_SQL["apps"]).fetchall():
        kept = _newest_but(connection, app_id, KEPT - 1)
        if kept:
            found.append(_Crowded(app_id, kept, _newest_but(connection, app_id, MOST - 1)))
    return found


def _newest_but(connection: Connection, app_id: int, others: int) -> int:
    """The app's newest event but so many; 0 when it has not so many."""
    row = connection.execute(_SQL["newest_but"], {"app_id": app_id, "others": others}).fetchone()
    return 0 if row is None else int(row[0])


def _forget_some(connection: Connection, now: int, crowded: list[_Crowded]) -> bool:
    # an app's newest rows are never among them: a new row's id would be an old one's again
    more = False
    for each in crowded:
        params = {**attrs.asdict(each), "expired": now - KEPT_MS, "limit": _STEP}
        more |= connection.execute(_SQL["forget"], params).rowcount == _STEP
    return more
