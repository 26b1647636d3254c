"""Whether a ledger kept its promises, told from its audit trail alone. No I/O.

The trail is read line by line, in constant memory. Per effect it must be a history that the
contract allows (contracts, Verity, "States"): the fence token grows by one with every grant, and
when an operator releases a lease or resolves an effect as done; only the newest lease's holder
settles or renews; an effect is committed once at most, and nothing begins after that. What the
ledger says an effect is must be what its last line says.

A trail may begin at any fence: an effect that was pruned and comes again goes on from its floor.
Times are not judged: of several replicas the later to write may have begun its transaction sooner,
and a database's clock may be set back. The fence and the order of the lines are what counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from .models.verity import EffectEvent, EffectTrail

NONE: Final = "NONE"
RUNNING: Final = "RUNNING"
EXPIRED: Final = "EXPIRED"
COMMITTED: Final = "COMMITTED"
FAILED: Final = "FAILED"
RESET: Final = "RESET"
UNKNOWN: Final = "UNKNOWN"
"""After a line of a kind that this version does not know: whatever comes next may be right."""

_MAY_FOLLOW: Final = {
    "LEASE_GRANTED": {NONE, EXPIRED, RESET},
    "LEASE_RENEWED": {RUNNING},
    "LEASE_EXPIRED": {RUNNING},
    "COMMITTED": {RUNNING},
    "FAILED": {RUNNING},
    "RESET": {FAILED, EXPIRED},
    "LEASE_RELEASED": {RUNNING},
    "RESOLVED_DONE": {EXPIRED},
    "RESOLVED_NOT_DONE": {EXPIRED},
}
"""In which states a line may come."""
_LEADS_TO: Final = {
    "LEASE_GRANTED": RUNNING,
    "LEASE_RENEWED": RUNNING,
    "LEASE_EXPIRED": EXPIRED,
    "COMMITTED": COMMITTED,
    "FAILED": FAILED,
    "RESET": RESET,
    "LEASE_RELEASED": EXPIRED,
    "RESOLVED_DONE": COMMITTED,
    "RESOLVED_NOT_DONE": RESET,
}
_TAKES_FENCE: Final = frozenset({"LEASE_GRANTED", "LEASE_RELEASED", "RESOLVED_DONE"})
"""Lines that come with the next fence: a new holder's, and an operator's who locks one out."""
_COMMITS: Final = frozenset({"COMMITTED", "RESOLVED_DONE"})
_OBSERVED: Final = frozenset({"OBSERVE_HIT", "OBSERVE_MISS"})
_IN_WORDS: Final = {
    NONE: "before any lease was granted",
    RUNNING: "while a lease was held",
    EXPIRED: "after the lease had run out and before the next was granted",
    COMMITTED: "after the effect had been committed",
    FAILED: "after the effect had failed and before it was reset",
    RESET: "after a reset and before the next lease",
}


@attrs.frozen
class Finding:
    """Something that must not be."""

    rule: str
    """fence_order, fence_gap, stale_fence, committed_twice, out_of_turn, state, no_trail or
    line_order."""
    namespace: str
    effect_key: str
    effect_id: str
    seq: int | None
    """The line it is about; None for the effect as a whole."""
    message: str


@attrs.define
class TrailCheck:
    """Reads trails in the order in which the ledger hands them out.

    ``look`` at each part, then ``end`` once; both say what was found.
    """

    effects: int = 0
    lines: int = 0
    findings: int = 0
    unknown: Counter[str] = attrs.field(factory=Counter)
    """Lines of kinds that this version does not know, which are not judged."""
    _effect: _Effect | None = None

    def look(self, part: EffectTrail) -> Iterator[Finding]:
        """What is wrong in *part*, and at the end of the effect before it."""
        if self._effect is None or self._effect.now.effect_id != part.effect_id:
            yield from self.end()
            self._effect = _Effect(part)
            self.effects += 1
        effect = self._effect
        effect.now = part
        for line in part.events:
            self.lines += 1
            if line.type not in _LEADS_TO and line.type not in _OBSERVED:
                self.unknown[line.type] += 1
            yield from self._counted(effect.read(line))

    def end(self) -> Iterator[Finding]:
        """What is wrong at the end of the last effect."""
        if self._effect is not None:
            yield from self._counted(self._effect.end())
            self._effect = None

    def _counted(self, found: Iterator[Finding]) -> Iterator[Finding]:
        for each in found:
            self.findings += 1
            yield each


@attrs.define
class _Effect:
    """How far one effect's trail has been read."""

    now: EffectTrail
    state: str = NONE
    newest: int = 0
    """The newest fence that was taken."""
    committed: int = 0
    seq: int = 0

    def read(self, line: EffectEvent) -> Iterator[Finding]:
        if line.seq <= self.seq:
            yield self._about(line, "line_order", f"stands behind line {self.seq}")
        self.seq = line.seq
        fence = line.fence_token
        if line.type in _OBSERVED:
            if fence > self.newest and self.state != UNKNOWN:
                text = f"is of fence {fence}, which nobody had been given"
                yield self._about(line, "stale_fence", text)
            return
        if line.type not in _LEADS_TO:
            self.state, self.newest = UNKNOWN, max(self.newest, fence)
            return
        yield from self._fence(line)
        yield from self._turn(line)
        self.state = _LEADS_TO[line.type]

    def _fence(self, line: EffectEvent) -> Iterator[Finding]:
        fence, newest = line.fence_token, self.newest
        if line.type not in _TAKES_FENCE:
            if fence != newest and self.state != UNKNOWN:
                text = f"is of fence {fence}, and {newest} was the newest"
                yield self._about(line, "stale_fence", text)
            return
        if fence <= newest:
            text = f"takes fence {fence}, though {newest} had been given out"
            yield self._about(line, "fence_order", text)
        elif newest and fence != newest + 1 and self.state != UNKNOWN:
            text = f"takes fence {fence} after {newest}: the one between has left no line"
            yield self._about(line, "fence_gap", text)
        self.newest = max(newest, fence)

    def _turn(self, line: EffectEvent) -> Iterator[Finding]:
        self.committed += line.type in _COMMITS
        if line.type in _COMMITS and self.committed > 1:
            text = f"is commit number {self.committed} of one effect"
            yield self._about(line, "committed_twice", text)
        elif self.state != UNKNOWN and self.state not in _MAY_FOLLOW[line.type]:
            yield self._about(line, "out_of_turn", f"comes {_IN_WORDS[self.state]}")

    def end(self) -> Iterator[Finding]:
        now = self.now
        if self.state == NONE:
            text = f"the effect is {now.status}, and no line of the trail tells how it came to be"
            yield self._of_all("no_trail", text)
            return
        if self.state == UNKNOWN:
            return
        # what has run out is RUNNING until somebody notices; only then there is a line
        told = {RUNNING: {RUNNING, EXPIRED}}.get(self.state, {self.state})
        if now.status not in told:
            text = f"the effect is {now.status}, and its trail ends with {self.state}"
            yield self._of_all("state", text)
        if now.fence_token != self.newest:
            text = f"the effect has fence {now.fence_token}, and {self.newest} was taken last"
            yield self._of_all("state", text)

    def _about(self, line: EffectEvent, rule: str, text: str) -> Finding:
        return self._finding(rule, line.seq, f"{line.type} at {line.at} {text}")

    def _of_all(self, rule: str, text: str) -> Finding:
        return self._finding(rule, None, text)

    def _finding(self, rule: str, seq: int | None, message: str) -> Finding:
        now = self.now
        return Finding(rule, now.namespace, now.effect_key, now.effect_id, seq, message)
