"""Why an effect does not move, in a sentence, and what to do next: from its row and its trail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import attrs

from quatrain.server.ledger import Effect, Event, EventType, Status, in_short

from .words import brief, duration

_DONE_BY: Final = {
    "acted": "the agent acted",
    "observed": "the agent found that it had happened already",
    "resolved": "an operator said so",
}


@attrs.frozen
class Advice:
    """What is the matter, and what may be done about it, best first."""

    sentence: str
    steps: tuple[str, ...] = ()


def advice(effect: Effect, events: Sequence[Event], now: int) -> Advice:
    """What to tell an operator. *now* is the server's clock; *events* are oldest first."""
    match effect.status:
        case Status.RUNNING:
            return _held(effect, events, now)
        case Status.EXPIRED:
            return _uncertain(effect, events, now)
        case Status.FAILED:
            return _failed(effect, now)
        case Status.RESET:
            return _waiting(effect, events, now)
        case Status.COMMITTED:
            how = _DONE_BY.get(effect.source or "", "the agent did not say how")
            ago = duration(now - effect.updated_at)
            return Advice(f"It is not stuck: it was done {ago} ago ({how}), and stays so.")


def _held(effect: Effect, events: Sequence[Event], now: int) -> Advice:
    left = duration((effect.lease_expires_at or now) - now)
    renewals = _since_grant(events, EventType.LEASE_RENEWED)
    begun = next((e.at for e in reversed(events) if e.type is EventType.LEASE_GRANTED), None)
    held = "" if begun is None else f" It has been held for {duration(now - begun)}"
    if held:
        held += f", renewed {_times(renewals)}." if renewals else ", not renewed yet."
    return Advice(
        f"It is not stuck: {_agent(effect)} holds the lease for another {left}.{held}",
        (
            "Wait: the agent commits, fails, or lets the lease run out.",
            (
                "If you know that the agent hangs or is gone, release its lease. It is then"
                " refused, and the next attempt observes before it acts."
            ),
        ),
    )


def _uncertain(effect: Effect, events: Sequence[Event], now: int) -> Advice:
    ago = duration(now - (effect.lease_expires_at or now))
    last = next(
        (
            e
            for e in reversed(events)
            if e.type in {EventType.LEASE_RELEASED, EventType.LEASE_GRANTED}
        ),
        None,
    )
    if last is not None and last.type is EventType.LEASE_RELEASED:
        what = f"its lease was released by an operator {ago} ago"
    else:
        what = f"the lease of {_agent(effect)} ran out {ago} ago without a commit"
    seen = _since_grant(events, EventType.OBSERVE_MISS)
    looked = " The last attempt had looked, and had not found it done." if seen else ""
    return Advice(
        f"Uncertain: {what}, and nobody has come back."
        f" The action may have happened, or not.{looked}",
        (
            "Run the agent again: it observes first, and acts only if that finds nothing.",
            (
                "Or look yourself where the action would show. If it happened, resolve the effect"
                " as done, with its result; if it did not, as not done."
            ),
        ),
    )


def _failed(effect: Effect, now: int) -> Advice:
    ago = duration(now - effect.updated_at)
    said = error_line(effect.error)
    return Advice(
        f"Failed {ago} ago{f': {said}' if said else ''}. Every later attempt is answered with this"
        " error, and does not act.",
        (
            "Mend what made it fail, then reset the effect: the next attempt may act.",
            "If it must not happen any more, leave it: failed is final until somebody resets it.",
        ),
    )


def _waiting(effect: Effect, events: Sequence[Event], now: int) -> Advice:
    kinds = {EventType.RESET, EventType.RESOLVED_NOT_DONE}
    last = next((e for e in reversed(events) if e.type in kinds), None)
    by = "" if last is None else said_in(last, "by")
    who = f" by {brief(by)}" if by else ""
    return Advice(
        f"Waiting: it was reset{who} {duration(now - effect.updated_at)} ago, and no agent has"
        " begun it since.",
        ("Run the agent again, or check that whatever calls it still does.",),
    )


def error_line(error: str | None) -> str:
    """``TimeoutError: the bank did not answer``, of an error as agents report it, if any."""
    return "" if error is None else brief(in_short(error), 200)


def said_in(event: Event, name: str) -> str:
    """A text of a line's detail; ``""`` when it is not there."""
    try:
        detail = json.loads(event.detail or "{}")
    except ValueError:
        return ""
    value = detail.get(name) if isinstance(detail, dict) else None
    return value if isinstance(value, str) else ""


def _agent(effect: Effect) -> str:
    return f"agent {brief(effect.agent_id, 60)}" if effect.agent_id else "an agent without a name"


def _since_grant(events: Sequence[Event], kind: EventType) -> int:
    """How often that happened in the newest attempt."""
    count = 0
    for event in reversed(events):
        if event.type is EventType.LEASE_GRANTED:
            break
        count += event.type is kind
    return count


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
