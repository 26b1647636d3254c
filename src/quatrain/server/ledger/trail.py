"""The audit trail of a whole realm, page by page: what a check of the ledger reads."""

from __future__ import annotations

import itertools
import operator
from typing import Any, Final, NamedTuple

import attrs

from quatrain.server.store import Connection, in_index_order, queries

_PAGE: Final = queries.load("trail")["page"]
_OF_EFFECT: Final = 5
"""Columns that tell of the effect; the others tell of one line."""


class Place(NamedTuple):
    """Behind which line of which effect a page begins; (0, 0) for the first page."""

    effect_id: int
    seq: int


class Line(NamedTuple):
    """One line; its kind as it is written, known to this version or not."""

    seq: int
    type: str
    at: int
    fence_token: int
    agent_id: str | None
    run_id: str | None
    detail: str | None


@attrs.frozen
class EffectTrail:
    """An effect as it is in the moment of the page, and those of its lines that are in the page.

    A trail that is longer than a page comes in parts; an effect without any line comes with none.
    """

    effect_id: int
    namespace: str
    effect_key: str
    status: str
    fence_token: int
    lines: list[Line]


@attrs.frozen
class TrailPage:
    """A page, in the order of the effects' ids; *next* is None on the last."""

    items: list[EffectTrail]
    next: Place | None


@in_index_order
def page(connection: Connection, now: int, params: dict[str, Any]) -> TrailPage:
    """A page of a realm's trails. *params*: realm_id, namespace or None, after (a Place), limit.

    What it says of an effect and of its last line is of one moment: a page is one statement. Only
    an effect that is alone in its page may go on in the next: it might be pruned in between, and
    the part that was told would be of a history that broke off.
    """
    limit: int = params["limit"]
    after: Place = params["after"]
    chosen = "" if params["namespace"] is None else " AND effects.namespace = :namespace"
    values = {
        "now": now,
        "realm_id": params["realm_id"],
        "namespace": params["namespace"],
        "effect_id": after.effect_id,
        "seq": after.seq,
        "limit": limit + 1,  # one more than asked for tells whether there is a next page
    }
    rows = connection.execute(_PAGE.format(filters=chosen), values).fetchall()
    following = None
    if len(rows) > limit:
        (too_many,) = rows[limit:]
        first_of_last = next(n for n, row in enumerate(rows) if row[0] == too_many[0])
        del rows[first_of_last or limit :]
        last = rows[-1]
        following = Place(last[0], last[_OF_EFFECT] or 0)
    groups = (list(rows) for _, rows in itertools.groupby(rows, operator.itemgetter(0)))
    return TrailPage([_trail(group) for group in groups], following)


def _trail(rows: list[tuple[Any, ...]]) -> EffectTrail:
    effect_id, namespace, effect_key, status, fence_token = rows[0][:_OF_EFFECT]
    return EffectTrail(effect_id, namespace, effect_key, status, fence_token, _lines(rows))


def _lines(rows: list[tuple[Any, ...]]) -> list[Line]:
    return [Line(*row[_OF_EFFECT:]) for row in rows if row[_OF_EFFECT] is not None]
