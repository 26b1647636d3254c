"""The audit log: who did what, only ever added to, each entry holding the hash of the one before.

A tenant's entries are numbered without a gap, in the order of their times: when the clock is set
back, an entry takes the time of the one before it. So every span of time is a span of numbers, and
a page is found without counting what comes before it.
"""

from __future__ import annotations

import json
from typing import Any, Final, Generic, TypeVar

import attrs

from quatrain.evidence.chain import START, canonical, chained, hash_of
from quatrain.server.store import Connection, Store, queries
from quatrain.server.times import iso_time

K = TypeVar("K")
V = TypeVar("V")

_REMEMBERED: Final = 1_000
_SQL: Final = queries.load("velerian_audit")


@attrs.frozen
class Entry:
    """One line of the log."""

    id: int
    sequence: int
    """From 1, without a gap, over all of a tenant's."""
    at: int
    """Milliseconds since 1970; never below the entry's before it."""
    actor_user_id: str
    action: str
    resource_kind: str
    resource_id: str
    detail: dict[str, Any]
    chain_hash: str

    def hashed(self, tenant: str) -> str:
        """The hash of all that it says, which its ``chain_hash`` is made of."""
        said = {
            "tenant_id": tenant,
            "created_at": iso_time(self.at),
            "actor_user_id": self.actor_user_id,
            "action": self.action,
            "resource_kind": self.resource_kind,
            "resource_id": self.resource_id,
            "detail": self.detail,
        }
        return hash_of(canonical(said))


@attrs.frozen(kw_only=True)
class Filter:
    """Which entries; None lets all pass. Times are in milliseconds since 1970, both included."""

    action: str | None = None
    resource_kind: str | None = None
    resource_id: str | None = None
    actor_user_id: str | None = None
    since: int | None = None
    until: int | None = None


@attrs.frozen
class Page:
    """Some entries, oldest first, and how many there are in all."""

    items: list[Entry]
    total: int
    last: int
    """The sequence up to which they were counted."""


class AuditLog:
    """Reads of the log, page after page.

    It remembers, of filtered walks, where a page ended and how many entries there were up to then.
    As nothing is ever changed or taken away, that stays right, and the next page goes on from there
    without passing again over all that comes before it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: _Recent[tuple[str, Filter, int], int] = _Recent(_REMEMBERED)
        self._counts: _Recent[tuple[str, Filter], tuple[int, int]] = _Recent(_REMEMBERED)

    async def page(self, tenant: str, wanted: Filter, *, limit: int, offset: int) -> Page:
        """Entries that the filter lets pass."""
        # where it begins is the same whenever it is to end
        walk = tenant, attrs.evolve(wanted, until=None)
        params = {
            "tenant": tenant,
            "filter": wanted,
            "limit": limit,
            "offset": offset,
            "after": self._ends.get((*walk, offset)),
            "counted": self._counts.get(walk),
        }
        found = await self._store.read(page, params)
        self._counts.put(walk, (found.last, found.total))
        if found.items:
            self._ends.put((*walk, offset + len(found.items)), found.items[-1].sequence)
        return found


class _Recent(Generic[K, V]):
    """What was put last, up to a number of things."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        return self._kept.get(key)

    def put(self, key: K, value: V) -> None:
        self._kept.pop(key, None)
        self._kept[key] = value
        if len(self._kept) > self._size:
            del self._kept[next(iter(self._kept))]


def append(
    connection: Connection,
    now: int,
    tenant: str,
    *,
    actor: str,
    action: str,
    resource_kind: str,
    resource_id: str,
    detail: dict[str, Any],
) -> None:
    """Add an entry, within the caller's transaction. *detail* is JSON, else ValueError."""
    last = connection.execute(_SQL["last_entry"], {"tenant": tenant}).fetchone()
    before, at, previous = last or (0, now, START)
    entry = Entry(
        0,
        before + 1,
        max(now, at),
        actor,
        action,
        resource_kind,
        resource_id,
        json.loads(canonical(detail)),  # as a reader will have it
        "",
    )
    values = {
        **attrs.asdict(entry, recurse=False),
        "tenant": tenant,
        "detail": canonical(entry.detail),
        "chain_hash": chained(previous, entry.sequence, entry.hashed(tenant)),
    }
    connection.execute(_SQL["add_entry"], values)


def page(connection: Connection, _now: int, params: dict[str, Any]) -> Page:
    """Entries: a read of the store. *params*: tenant, filter, limit, offset, after, counted.

    *after* is the sequence of the entry before the offset, and *counted* a sequence and how many
    entries the filter lets pass up to it, where they are known.
    """
    wanted: Filter = params["filter"]
    values = {**attrs.asdict(wanted), "tenant": params["tenant"]}
    first, last = _span(connection, wanted, values)
    names = ("action", "resource_kind", "resource_id", "actor_user_id")
    filters = "".join(f" AND {name} = :{name}" for name in names if values[name] is not None)
    values |= {"first": first, "last": last, "limit": params["limit"], "skip": 0}
    if not filters:
        total = max(last - first + 1, 0)
        values["first"] = min(first + params["offset"], last + 1)
    else:
        total = _count(connection, filters, values, params["counted"])
        if params["after"] is None:
            values["skip"] = params["offset"]
        else:
            values["first"] = params["after"] + 1
    rows = connection.execute(_SQL["page"].format(filters=filters), values)
    return Page([_entry(row) for row in rows], total, last)


def _count(
    connection: Connection,
    filters: str,
    values: dict[str, Any],
    counted: tuple[int, int] | None,
) -> int:
    upto, known = counted or (0, 0)
    if upto > values["last"]:
        upto, known = 0, 0
    span = {**values, "first": max(values["first"], upto + 1)}
    (more,) = connection.execute(_SQL["count"].format(filters=filters), span).fetchone()
    return known + int(more)


def first_broken(connection: Connection, _now: int, tenant: str) -> int | None:
    """The sequence of the first entry that is not as it was written; None when all are.

    That the newest entries have been cut off can't be seen here, only by who kept a hash of them.
    """
    values = {"tenant": tenant, "first": 0, "last": 2**62, "limit": 2**62, "skip": 0}
    previous = START
    rows = connection.execute(_SQL["page"].format(filters=""), values)
    for expected, row in enumerate(rows, start=1):
        entry = _entry(row)
        hashed = chained(previous, entry.sequence, entry.hashed(tenant))
        if (expected, hashed) != (entry.sequence, entry.chain_hash):
            return expected
        previous = entry.chain_hash
    return None


def _span(connection: Connection, wanted: Filter, values: dict[str, Any]) -> tuple[int, int]:
    """The first and the last sequence that the filter's times let pass."""
    row = connection.execute(_SQL["last_entry"], values).fetchone()
    first, last = 1, 0 if row is None else int(row[0])
    if wanted.since is not None:
        found = connection.execute(_SQL["first_since"], values).fetchone()
        first = last + 1 if found is None else int(found[0])
    if wanted.until is not None:
        found = connection.execute(_SQL["last_until"], values).fetchone()
        last = 0 if found is None else int(found[0])
    return first, last


def _entry(row: tuple[Any, ...]) -> Entry:
    number, sequence, at, actor, action, kind, resource_id, detail, chain_hash = row
    said = json.loads(detail)
    return Entry(number, sequence, at, actor, action, kind, resource_id, said, chain_hash)
