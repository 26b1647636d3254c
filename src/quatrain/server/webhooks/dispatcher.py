"""Sends what the outbox holds: in time, many at once, and whatever befalls it.

Any number of dispatchers, of any processes, may work on one database: a delivery is claimed before
it is sent. A process that dies leaves claims that end by themselves, so a delivery is made at least
once; who receives it tells a repeat by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

import attrs
import httpx

from quatrain.server.background import Background, Outage
from quatrain.server.store import Store, StoreUnavailableError

from . import outbox
from .records import Claim, DeliveryStatus
from .sender import TIMEOUT, attempt, make_client

_log: Final = logging.getLogger("quatrain.server.webhooks")


@attrs.frozen(kw_only=True)
class Pace:
    """How much is done at once, and how long things may take. Times are in seconds."""

    at_once: int = 20
    """Attempts under way."""
    per_endpoint: int = 4
    """Of these, at one endpoint: a slow one leaves room for the others."""
    for_failing: int = 10
    """Of these, at all endpoints whose last attempt failed: however many hang, they leave room."""
    attempt: float = TIMEOUT
    claim: float = 30.0
    """Until a claimed delivery whose outcome nobody noted is sent again."""
    poll: float = 1.0
    """Between two looks into the outbox, which other processes write to as well."""
    grace: float = 5.0
    """For what is under way when told to stop."""

    def __attrs_post_init__(self) -> None:
        if self.claim <= self.attempt:
            raise ValueError("a claim has to outlast its attempt, or two would send at a time")


class Dispatcher:
    """Works while ``running()`` is entered; ``wake()`` has it look into the outbox at once.

    *make_client* is called in a thread when something is first to be sent. *luck* draws from
    [0, 1).
    """

    def __init__(
        self,
        store: Store,
        *,
        make_client: Callable[[], httpx.AsyncClient] = make_client,
        luck: Callable[[], float] = random.random,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._make_client = make_client
        self._luck = luck
        self._pace = pace or Pace()
        self._run: _Run | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is due, in the background. The store is open for longer than this.

        On leaving, what is under way gets some seconds, then is cancelled: it is sent again by
        whoever looks into the outbox after its claim has ended.
        """
        run = _Run(self._store, self._make_client, self._luck, self._pace)
        self._run = run
        try:
            yield
        finally:
            self._run = None
            await run.stop()

    def wake(self) -> None:
        """Something has been written: look at once. From any thread; does nothing when stopped."""
        run = self._run
        if run is not None:
            run.wake()


class _Run:
    """One run of a dispatcher, on the event loop it was made on."""

    def __init__(
        self,
        store: Store,
        make_client: Callable[[], httpx.AsyncClient],
        luck: Callable[[], float],
        pace: Pace,
    ) -> None:
        self._store = store
        self._make_client = make_client
        self._luck = luck
        self._pace = pace
        self._client: httpx.AsyncClient | None = None
        self._settling = Outage(_log, "webhooks were sent, and what came of it can't be noted")
        self._background: Background[int] = Background(
            self._begin_due,
            name="quatrain-webhooks",
            poll=pace.poll,
            grace=pace.grace,
            finding=Outage(_log, "webhooks wait: what is due can't be found"),
        )
        """Each attempt's endpoint."""
        self._failing: set[int] = set()
        """Endpoints whose last attempt was in vain."""

    def wake(self) -> None:
        self._background.wake()

    async def stop(self) -> None:
        await self._background.stop()
        if self._client is not None:
            await self._client.aclose()

    # -- finding ----------------------------------------------------------------------------------

    async def _begin_due(self) -> float:
        """Begin attempts at what is due; returns the seconds until there may be more to do."""
        pace = self._pace
        under_way = self._background.under_way
        room = pace.at_once - len(under_way)
        if room <= 0:
            return pace.poll  # the first attempt to end wakes
        busy = Counter(under_way.values())
        full = {endpoint_id for endpoint_id, count in busy.items() if count >= pace.per_endpoint}
        failing = frozenset(self._failing)
        for_failing = pace.for_failing - sum(busy[endpoint_id] for endpoint_id in failing)
        if for_failing <= 0:
            full |= failing
        # a read comes first: looking into an outbox where nothing is due should cost no transaction
        due = await self._store.read(outbox.next_due, full)
        if due is None:
            return pace.poll
        wait = (due - self._store.now_ms()) / 1000
        if wait > 0:
            return min(wait, pace.poll)
        if self._client is None:
            self._client = await asyncio.to_thread(self._make_client)
        params = {
            "limit": room,
            "claim_ms": round(pace.claim * 1000),
            "per_endpoint": pace.per_endpoint,
            "busy": busy,
            "failing": failing,
            "for_failing": max(0, for_failing),
        }
        claims = await self._store.write(outbox.claim, params)
        for claim in claims:
            self._background.begin(self._deliver(self._client, claim), claim.endpoint_id)
        # another dispatcher may have been quicker: then it is at work on them
        return 0.0 if claims else pace.poll

    # -- sending ----------------------------------------------------------------------------------

    async def _deliver(self, client: httpx.AsyncClient, claim: Claim) -> None:
        pace = self._pace
        if self._store.now_ms() + pace.attempt * 1000 > claim.claimed_until:
            return  # this process stood still: somebody else may claim it during the attempt
        outcome = await attempt(client, claim, now_ms=self._store.now_ms, timeout=pace.attempt)
        _log.debug("%s: %s", claim.delivery_id, outcome)
        if outcome.delivered:
            self._failing.discard(claim.endpoint_id)
        else:
            self._failing.add(claim.endpoint_id)
        params = {
            "id": claim.id,
            "attempt": claim.attempt,
            "outcome": outcome,
            "luck": self._luck(),
        }
        while True:
            try:
                status = await self._store.write(outbox.settle, params)
            except StoreUnavailableError as exc:
                self._settling.begin(exc)
                if self._store.now_ms() >= claim.claimed_until:
                    return
                # what was delivered need not be sent again, if only it can be noted in time
                await asyncio.sleep(pace.poll)
            else:
                break
        self._settling.end()
        if status == DeliveryStatus.FAILED:
            _log.warning(
                "%s (%s) was given up after the last try: %s",
                claim.delivery_id,
                claim.event_type,
                outcome.error,
            )
