"""The overview: how many effects are in which state, what failed, what is old, what happened."""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.server.ledger import Effect, Status
from quatrain.server.ledger.queries import FACTS
from quatrain.server.store import Connection, in_index_order
from quatrain.server.store import queries as sql
from quatrain.server.verity.render import effect_id
from quatrain.server.webpages import Answer

from . import queries
from .call import Call

MOST: Final = 10_000
"""Where counting ends: "10,000+"."""
RECENT: Final = 20_000
"""Effects that the chart and the failure rate are made of, at most."""
BARS: Final = 48
_DAY: Final = 86_400_000
_REACH: Final = 2_000
_SQL: Final = sql.load("explorer")


@attrs.frozen
class Bar:
    """Effects that began in one stretch of time, by state."""

    since: int
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@attrs.frozen
class Activity:
    """One line of the audit trail, and the effect it is about."""

    type: str
    at: int
    agent_id: str | None
    effect_id: int
    effect_key: str


@attrs.frozen(kw_only=True)
class Overview:
    """What the page shows. Times are milliseconds since 1970."""

    now: int
    counts: dict[Status, int]
    """Of those states in which effects wait for something; MOST + 1 for more."""
    oldest: list[Effect]
    since: int
    """Where the chart begins."""
    width: int
    """Milliseconds of each bar."""
    bars: list[Bar]
    activity: list[Activity]
    recent: dict[str, int]
    """Of the effects in the chart, by state."""

    @property
    def failure_rate(self) -> float | None:
        """Failed ones among the settled, in the chart's time; None when none is settled."""
        failed = self.recent.get(Status.FAILED, 0)
        settled = failed + self.recent.get(Status.COMMITTED, 0)
        return failed / settled if settled else None


async def show(call: Call) -> Answer:
    """The page, or for the script that keeps it fresh what is in it."""
    found = await call.store.read(overview, call.realm_id)
    return call.page(
        "_overview.html" if call.partial else "overview.html",
        found=found,
        most=MOST,
        tallest=max((bar.total for bar in found.bars), default=0),
        effect_id=effect_id,
        states=list(Status),
    )


@in_index_order
def overview(connection: Connection, now: int, realm_id: int) -> Overview:
    """A query of the store."""
    values: dict[str, Any] = {"realm_id": realm_id, "now": now, "most": MOST + 1}
    running, expired = connection.execute(_SQL["count_running"], values).fetchone()
    counts = {Status.RUNNING: running - expired, Status.EXPIRED: expired}
    for state in (Status.FAILED, Status.RESET):
        statement = _SQL["count"].format(state=f"status = '{state}'")
        (counts[state],) = connection.execute(statement, values).fetchone()
    oldest = _SQL["oldest_running"].format(columns=FACTS)
    values |= {"most": RECENT, "limit": 5}
    rows = connection.execute(oldest, values).fetchall()
    since, width, bars = _bars(connection, values)
    recent: dict[str, int] = {}
    for bar in bars:
        for name, count in bar.counts.items():
            recent[name] = recent.get(name, 0) + count
    lines = connection.execute(_SQL["activity"], {**values, "reach": _REACH, "limit": 12})
    return Overview(
        now=now,
        counts=counts,
        oldest=[queries.effect_of(row) for row in rows],
        since=since,
        width=width,
        bars=bars,
        activity=[Activity(*line) for line in lines],
        recent=recent,
    )


def _bars(connection: Connection, values: dict[str, Any]) -> tuple[int, int, list[Bar]]:
    """The last day, or as much of it as the newest effects go back to."""
    now = values["now"]
    count, first = connection.execute(_SQL["recent_reach"], values).fetchone()
    since = now - _DAY if count < RECENT else max(first, now - _DAY)
    width = max((now - since) // BARS + 1, 1)
    counts: list[dict[str, int]] = [{} for _ in range(BARS)]
    found = connection.execute(_SQL["recent"], {**values, "since": since, "width": width})
    for bucket, state, number in found:
        # a clock that was set back: what began "later" than now stands in the last bar
        bar = counts[min(int(bucket), BARS - 1)]
        bar[state] = bar.get(state, 0) + number
    bars = [Bar(since + number * width, bar) for number, bar in enumerate(counts)]
    return since, width, bars
