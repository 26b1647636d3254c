"""One action for all effects that a filter finds: first how many that are, then in small steps.

What is done is done to what the first page counted, which its form names, each with its fence:
effects that have come into the filter since, and those that have moved on, are left alone.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.ledger import Effect
from quatrain.server.problems import RefusedError
from quatrain.server.verity.render import effect_id
from quatrain.server.webpages import Answer, PageError

from . import actions, queries
from .allowed import offered
from .call import Call
from .filters import Wanted

MOST: Final = 10_000
"""Effects at a time."""
_STEP: Final = 200
"""Effects whose changes may share a transaction: others' leases wait no longer than for those."""
_SEARCHES: Final = 250
_SHOWN: Final = 10
_EACH: Final = r"[0-9a-f]{1,15}-[0-9a-f]{1,15}"
_COUNTED: Final = re.compile(rf"{_EACH}(?:\.{_EACH})*")


@attrs.define
class Tally:
    """What became of the effects that were counted."""

    changed: int = 0
    left: int = 0


async def ask(call: Call) -> Answer:
    """How many there are, a few of them, and the form that does it."""
    call.require_actor()
    query = call.query()
    action, wanted = _read(query)
    found, more = await _matching(call, wanted, None)
    return _page(call, action, wanted, found, more)


async def act(call: Call) -> Answer:
    """Do it, and tell what became of them."""
    sent = await call.form()
    call.require_actor()
    action, wanted = _read(sent)
    counted = _counted(sent.get("counted", ""))
    found, more = await _matching(call, wanted, max(counted))
    found = [each for each in found if counted.get(each.id) == each.fence_token]
    try:
        reason = actions.checked_reason(sent)
        result = actions.outcome(sent) if action == "resolve" else None
    except InputError as exc:
        return _page(call, action, wanted, found, more, status=422, error=str(exc), typed=sent)
    tally = Tally(left=len(counted))
    for start in range(0, len(found), _STEP):
        step = found[start : start + _STEP]
        told = await asyncio.gather(
            *(_one(call, action, each, reason=reason, result=result) for each in step)
        )
        tally.changed += sum(told)
        tally.left -= sum(told)
    return call.page(
        "bulk_done.html",
        action=action,
        wanted=wanted,
        tally=tally,
        more=more,
        query=_query(action, wanted),
    )


async def _one(call: Call, action: str, effect: Effect, **values: Any) -> bool:
    """Whether it was changed; False when it had moved on."""
    try:
        await actions.do(call, action, effect, seen_fence=effect.fence_token, **values)
    except RefusedError:
        return False
    return True


async def _matching(call: Call, wanted: Wanted, newest: int | None) -> tuple[list[Effect], bool]:
    """What the filter finds up to the id *newest*, and whether there may be more than that."""
    found: list[Effect] = []
    before = None if newest is None else newest + 1
    for _ in range(_SEARCHES):
        params = {
            "realm_id": call.realm_id,
            "wanted": wanted,
            "before": before,
            "limit": min(1_000, MOST - len(found)),
            "payloads": False,
        }
        part = await call.store.read(queries.part, params)
        found += part.items
        before = part.next
        if before is None or len(found) >= MOST:
            break
    return found, before is not None


def _read(given: dict[str, str]) -> tuple[str, Wanted]:
    """The action and the filter. Raises PageError when they do not go together."""
    action = given.get("action", "")
    try:
        wanted = Wanted.of(given)
    except InputError as exc:
        raise PageError(400, "That did not work", str(exc)) from None
    if action not in offered(wanted):
        raise PageError(
            400,
            "That does not go together",
            "Failed and expired effects can be reset, expired ones resolved, and the leases of"
            " running ones released. Filter by one of these states first.",
        )
    return action, wanted


def _counted(text: str) -> dict[int, int]:
    """The ids that a form names, and the fence of each. Raises PageError."""
    if not _COUNTED.fullmatch(text):
        raise PageError(400, "That did not work", "The form does not say what was counted.")
    pairs = (each.partition("-") for each in text.split("."))
    return {int(row, 16): int(fence, 16) for row, _, fence in pairs}


def _page(
    call: Call, action: str, wanted: Wanted, found: list[Effect], more: bool, **values: Any
) -> Answer:
    typed = values.pop("typed", {})
    return call.page(
        "bulk.html",
        action=action,
        wanted=wanted,
        count=len(found),
        sample=found[:_SHOWN],
        more=more,
        counted=".".join(f"{each.id:x}-{each.fence_token:x}" for each in found),
        effect_id=effect_id,
        typed={name: typed.get(name, "") for name in ("reason", "result", "outcome")},
        error=values.pop("error", None),
        **values,
    )


def _query(action: str, wanted: Wanted) -> str:
    return f"action={action}&{wanted.query}"
