"""Executes runs: a policy is asked first, then the model, and evidence is kept of either.

Any number of workers, of any processes, may work on one database: a run is claimed before it is
begun, and the claim is renewed while it lasts. What a killed process was at is begun again by
whoever looks after its claim has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.background import Background, Outage
from quatrain.server.store import Store, StoreUnavailableError

from . import claims, runner
from .claims import Claim, Ending
from .policy import Verdict, judged
from .runner import ModelFailedError, Request, Runner
from .runs import Run, RunStatus

_log: Final = logging.getLogger("quatrain.server.velerian")


@attrs.frozen(kw_only=True)
class Pace:
    """How much is done at once, and how long things may take. Times are in seconds."""

    at_once: int = 4
    """Runs under way."""
    claim: float = 30.0
    """Until a run whose process died is begun again. How long a run may last has no bound."""
    renew: float = 10.0
    """Between two renewals of a claim."""
    poll: float = 1.0
    """Between two looks for runs, which other processes ask for as well."""
    grace: float = 5.0
    """For what is under way when told to stop."""

    def __attrs_post_init__(self) -> None:
        if self.renew * 2 > self.claim:
            raise ValueError("a claim has to outlast a renewal that fails")


class RunWorker:
    """Works while ``running()`` is entered; ``wake()`` has it look for runs at once."""

    def __init__(self, store: Store, runner: Runner, *, pace: Pace | None = None) -> None:
        self._store = store
        self._runner = runner
        self._pace = pace or Pace()
        self._shift: _Shift | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Execute runs, in the background. The store is open for longer than this.

        On leaving, what is under way gets some seconds, then is cancelled, and left to whoever
        looks next; this does not count as one of the times that a run may be begun again.
        """
        shift = _Shift(self._store, self._runner, self._pace)
        self._shift = shift
        try:
            yield
        finally:
            self._shift = None
            await shift.stop()

    def wake(self) -> None:
        """Something has been queued: look at once. From any thread; nothing when stopped."""
        shift = self._shift
        if shift is not None:
            shift.background.wake()


class _Shift:
    """From one start of a worker to its end, on the event loop it was made on."""

    def __init__(self, store: Store, runner: Runner, pace: Pace) -> None:
        self._store = store
        self._runner = runner
        self._pace = pace
        self._cut_off: list[Run] = []
        """What was under way when it was stopped."""
        self._noting = Outage(_log, "runs have ended, and how can't be noted")
        self.background: Background[int] = Background(
            self._begin_due,
            name="quatrain-runs",
            poll=pace.poll,
            grace=pace.grace,
            finding=Outage(_log, "runs wait: which can't be found"),
        )

    async def stop(self) -> None:
        await self.background.stop()
        for run in self._cut_off:
            try:
                await self._store.write(claims.let_go, _of(run))
            except StoreUnavailableError as exc:
                _log.debug("%s is free when its claim has ended: %s", run.run_id, exc)

    async def _begin_due(self) -> float:
        """Begin runs that wait; returns the seconds until there may be more to do."""
        pace = self._pace
        room = pace.at_once - len(self.background.under_way)
        # a read comes first: to look where nothing waits should cost no transaction
        if room <= 0 or not await self._store.read(claims.any_due, None):
            return pace.poll  # the first run to end wakes
        params = {"limit": room, "claim_ms": self._claim_ms}
        found = await self._store.write(claims.claim, params)
        for claim in found:
            self.background.begin(self._execute(claim), claim.run.id)
        # some may have been ended without being begun; none: another worker was quicker
        return 0.0 if found else pace.poll

    @property
    def _claim_ms(self) -> int:
        return round(self._pace.claim * 1000)

    # -- executing --------------------------------------------------------------------------------

    async def _execute(self, claim: Claim) -> None:
        run = claim.run
        if run.claimed_until is None or self._store.now_ms() >= run.claimed_until:
            return  # this process stood still: somebody else may have begun it
        executing = asyncio.create_task(self._finished(claim))
        keeping = asyncio.create_task(self._kept(run, run.claimed_until))
        both = {executing, keeping}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if executing.done():
                executing.result()
            else:
                keeping.result()
                _log.warning("%s was lost to another worker, or is begun again later", run.run_id)
        except asyncio.CancelledError:
            self._cut_off.append(run)
            raise
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _finished(self, claim: Claim) -> None:
        ending = await self._ending(claim)
        params = {**_of(claim.run), "ending": ending}
        while True:
            try:
                await self._store.write(claims.finish, params)
            except StoreUnavailableError as exc:
                # the model need not be asked again, if only it can be noted while the claim holds
                self._noting.begin(exc)
                await asyncio.sleep(self._pace.poll)
            else:
                self._noting.end()
                return

    async def _ending(self, claim: Claim) -> Ending:
        run = claim.run
        # the prompt last: metadata of that name must not be judged in its place
        asked = {**(run.metadata or {}), "prompt": run.prompt_text}
        try:
            verdict = await asyncio.to_thread(judged, claim.policy, asked)
        except InputError as exc:
            text = f"the network's policy can't be read: {exc}"
            return Ending(status=RunStatus.FAILED, error=text)
        if verdict.outcome in {"deny", "require_human"}:
            return Ending(status=RunStatus.BLOCKED, verdict=verdict)
        return await self._asked(run, asked, verdict)

    async def _asked(self, run: Run, payload: dict[str, Any], verdict: Verdict) -> Ending:
        request = Request(
            kind="network",
            name=run.network,
            prompt=run.prompt_text,
            payload=payload,
            metadata=run.metadata,
            model_id=run.model_id,
        )
        try:
            output = await runner.run(self._runner, request)
        except ModelFailedError as exc:
            return Ending(status=RunStatus.FAILED, verdict=verdict, error=str(exc))
        return Ending(status=RunStatus.SUCCEEDED, verdict=verdict, output=output)

    async def _kept(self, run: Run, until: int) -> None:
        """Renew the claim; returns when it is lost."""
        params = {**_of(run), "claim_ms": self._claim_ms}
        while True:
            await asyncio.sleep(self._pace.renew)
            try:
                renewed = await self._store.write(claims.renew, params)
            except StoreUnavailableError as exc:
                _log.debug("%s: its claim could not be renewed: %s", run.run_id, exc)
                renewed = until if self._store.now_ms() < until else None
            if renewed is None:
                return
            until = renewed


def _of(run: Run) -> dict[str, Any]:
    return {"id": run.id, "attempt": run.attempts}
