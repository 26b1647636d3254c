"""What the tests of networks and of their runs share."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from typing import Any

import attrs

from quatrain.server.store import Store
from quatrain.server.velerian.networks import Networks
from quatrain.server.velerian.runner import Request, Runner
from quatrain.server.velerian.runs import Run, Runs
from quatrain.server.velerian.worker import Pace, RunWorker

PATIENCE = 30.0
"""Seconds until what should come is taken for what never does."""
QUICK = Pace(poll=0.001, renew=0.001)

GUARDED = {
    "rules": [
        {
            "name": "no weapons",
            "when": {"field": "prompt", "op": "contains", "value": "weapon"},
            "then": "deny",
            "reason": "weapons are not discussed",
        },
        {
            "name": "large sums",
            "when": {"field": "amount", "op": "gt", "value": 1000},
            "then": "require_human",
            "reason": "a person decides on large sums",
        },
        {
            "name": "secrets",
            "when": {"field": "secret", "op": "eq", "value": True},
            "then": "withhold",
            "reason": "it is a secret",
        },
        {
            "name": "small print",
            "when": {"field": "prompt", "op": "contains", "value": "offer"},
            "then": "condition",
            "reason": "name the terms",
        },
    ]
}


class Asked:
    """A runner that notes what it is asked."""

    def __init__(self, answer: Callable[[Request], Any] = lambda request: request.prompt) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.under_way = 0
        self.most = 0

    async def __call__(self, request: Request) -> str:
        self.requests.append(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            answer = self.answer(request)
            return (
                await answer if asyncio.isfuture(answer) or asyncio.iscoroutine(answer) else answer
            )
        finally:
            self.under_way -= 1

    async def been(self, number: int) -> None:
        """Return when it has been asked so often."""
        async with asyncio.timeout(PATIENCE):
            while len(self.requests) < number:
                await asyncio.sleep(0)


@attrs.frozen
class Place:
    """The tenant "acme" with the networks "open" and "guarded"."""

    store: Store
    runs: Runs
    networks: Networks

    async def ask(self, prompt: str = "hello", slug: str = "open", **more: Any) -> str:
        """Queue a run; its id."""
        return await self.runs.start("acme", slug, prompt_text=prompt, **more)

    async def run(self, run_id: str) -> Run:
        return await self.runs.get("acme", run_id)

    async def statuses(self) -> list[str]:
        """Of all, oldest first."""
        page = await self.runs.page("acme", limit=1000, offset=0)
        return [run.status.value for run in page.items]

    async def over(self) -> None:
        """Return when every run has ended."""
        async with asyncio.timeout(PATIENCE):
            while set(await self.statuses()) & {"queued", "running"}:
                await asyncio.sleep(0)

    def worker(self, runner: Runner, pace: Pace = QUICK) -> RunWorker:
        return RunWorker(self.store, runner, pace=pace)

    def audit(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Every entry as (action, resource, detail), oldest first."""
        statement = "SELECT action, resource_id, detail FROM velerian_audit ORDER BY id"
        return [(action, of, json.loads(text)) for action, of, text in rows(self.store, statement)]

    def packs(self) -> list[dict[str, Any]]:
        """Every pack's body, oldest first."""
        found = rows(self.store, "SELECT body FROM velerian_packs ORDER BY id")
        return [json.loads(body) for (body,) in found]


async def make_place(store: Store) -> Place:
    place = Place(store, Runs(store), Networks(store))
    await place.networks.create("acme", "open", name="Open", model_id="model-1")
    await place.networks.create("acme", "guarded", policy=GUARDED)
    return place


def rows(store: Store, statement: str) -> list[tuple[Any, ...]]:
    """What a query finds."""

    def query(connection: sqlite3.Connection, _now: int, _: None) -> list[tuple[Any, ...]]:
        return connection.execute(statement).fetchall()

    return store.read_blocking(query, None)


def workers() -> list[str]:
    """The workers that are at work on this event loop."""
    return [task.get_name() for task in asyncio.all_tasks() if "runs" in task.get_name()]
