"""The effect ledger, that counts what is asked of it."""

from __future__ import annotations

from typing import Any, Final

from quatrain.server.ledger import (
    Cached,
    Effect,
    EffectId,
    Granted,
    Holder,
    LeaseHeldError,
    Ledger,
    Observed,
    PriorState,
    Renewed,
    Settled,
    Status,
)
from quatrain.server.problems import RefusedError
from quatrain.server.store import Store

from .registry import Counter

_GRANTED: Final = {
    PriorState.NONE: "granted",
    PriorState.RESET: "granted_after_reset",
    # the last holder was cut off: whether it had acted nobody knows
    PriorState.EXPIRED: "granted_uncertain",
}


class CountedLedger(Ledger):
    """Operations: lease, renew, commit, fail, observe, and an operator's, with their outcomes.

    A renewal that is refused is a lease that was lost.
    """

    def __init__(self, store: Store, operations: Counter) -> None:
        super().__init__(store)
        self._add = operations.add

    async def lease(self, effect: EffectId, **options: Any) -> tuple[Granted, str] | Cached:
        """As the ledger's."""
        try:
            answer = await super().lease(effect, **options)
        except LeaseHeldError:
            self._add("lease", "held")
            raise
        if isinstance(answer, tuple):
            self._add("lease", _GRANTED[answer[0].prior_state])
        else:
            committed = answer.status is Status.COMMITTED
            self._add("lease", "cached_completed" if committed else "cached_failed")
        return answer

    async def renew(self, holder: Holder, **options: Any) -> Renewed:
        """As the ledger's."""
        try:
            answer = await super().renew(holder, **options)
        except RefusedError:
            self._add("renew", "lost")
            raise
        self._add("renew", "renewed")
        return answer

    async def commit(self, holder: Holder, **options: Any) -> Settled:
        """As the ledger's."""
        try:
            answer = await super().commit(holder, **options)
        except RefusedError:
            self._add("commit", "refused")
            raise
        self._add("commit", "repeated" if answer.repeated else "accepted")
        return answer

    async def fail(self, holder: Holder, **options: Any) -> Settled:
        """As the ledger's."""
        try:
            answer = await super().fail(holder, **options)
        except RefusedError:
            self._add("fail", "refused")
            raise
        self._add("fail", "repeated" if answer.repeated else "accepted")
        return answer

    async def report_observe(self, holder: Holder, *, hit: bool, **options: Any) -> Observed:
        """As the ledger's."""
        answer = await super().report_observe(holder, hit=hit, **options)
        self._add("observe", "hit" if hit else "miss")
        return answer

    async def reset(self, effect: EffectId, **options: Any) -> Effect:
        """As the ledger's."""
        answer = await super().reset(effect, **options)
        self._add("reset", "accepted")
        return answer

    async def resolve(self, effect: EffectId, *, result: str | None, **options: Any) -> Effect:
        """As the ledger's."""
        answer = await super().resolve(effect, result=result, **options)
        self._add("resolve", "not_done" if result is None else "done")
        return answer

    async def release(self, effect: EffectId, **options: Any) -> Effect:
        """As the ledger's."""
        answer = await super().release(effect, **options)
        self._add("release", "accepted")
        return answer
