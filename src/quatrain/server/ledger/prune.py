"""Forgetting effects that are over. A pruned key that comes again is a new effect, and acts again.

Its fence token is above every one that it had before, so nobody who once held a lease of it can
write: the realm's floor is raised, in a transaction of its own, before anything is deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from quatrain.server.store import Connection, Store, alone, queries

_SQL: Final = queries.load("prune")
_BATCH: Final = 500
"""Effects of one transaction: others wait for no more than these."""

# literals: no status that is still in use can get here
_STATES: Final = {
    False: "status = 'COMMITTED'",
    True: "status IN ('COMMITTED', 'FAILED', 'RESET')",
}


@attrs.frozen(kw_only=True)
class Over:
    """Which effects may be forgotten: those that have not changed since *before*."""

    before: int
    """Milliseconds since 1970."""
    failed: bool = False
    """Those that failed or were reset as well, and not only what is committed."""
    namespace: str | None = None
    """Of one namespace only."""


def prune(
    store: Store,
    over: Over,
    *,
    dry_run: bool = False,
    on_progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Forget what is *over*, in all realms, batch after batch; answers how many effects that were.

    What runs, or whose lease has run out, stays, however old it is. A *dry_run* only counts.
    *on_progress* is called with the number so far. Blocks; may be stopped at any moment, and run
    beside platforms that serve. Raises StoreUnavailableError.
    """
    done = 0
    for realm_id in store.read_blocking(_realms, None):
        after = 0
        while rows := store.read_blocking(_candidates, _params(over, realm_id, after)):
            after = rows[-1][0]
            if dry_run:
                done += len(rows)
            else:
                highest = max(fence for _, fence in rows)
                store.write_blocking(_raise_floor, {"realm_id": realm_id, "floor": highest})
                batch = {**_params(over, realm_id, rows[0][0] - 1), "last": after}
                done += store.write_blocking(_forget, batch)
            on_progress(done)
    return done


def _params(over: Over, realm_id: int, after: int) -> dict[str, Any]:
    return {**attrs.asdict(over), "realm_id": realm_id, "after": after, "limit": _BATCH}


def _realms(connection: Connection, _now: int, _: None) -> list[int]:
    return [row_id for (row_id,) in connection.execute(_SQL["realms"])]


def _candidates(connection: Connection, _now: int, params: dict[str, Any]) -> list[tuple[int, int]]:
    return connection.execute(_over(_SQL["candidates"], params), params).fetchall()


def _raise_floor(connection: Connection, _now: int, params: dict[str, int]) -> None:
    connection.execute(_SQL["raise_floor"], params)


@alone("effects")
def _forget(connection: Connection, _now: int, params: dict[str, Any]) -> int:
    """Judged anew: some may have begun again meanwhile.

    Alone, because who is about to begin a new effect has read the floor: that was the new one, or
    the old effect is still there.
    """
    connection.execute(_over(_SQL["forget_trails"], params), params)
    return connection.execute(_over(_SQL["forget"], params), params).rowcount


def _over(statement: str, params: dict[str, Any]) -> str:
    over = f"{_STATES[params['failed']]} AND updated_at < :before"
    if params["namespace"] is not None:
        over += " AND namespace = :namespace"
    return statement.format(over=over)
