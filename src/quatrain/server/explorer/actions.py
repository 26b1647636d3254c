"""What an operator does to an effect, with a reason, under the name of the key that signed in."""

from __future__ import annotations

from typing import Final

from quatrain._wire import MAX_PAYLOAD
from quatrain.errors import InputError
from quatrain.server import jsontext
from quatrain.server.ledger import Effect
from quatrain.server.problems import ProblemError, RefusedError
from quatrain.server.webpages import Answer, PageError

from . import answers, effects, queries
from .call import Call

MAX_REASON: Final = 2_000
_ACTIONS: Final = frozenset({"reset", "resolve", "release"})


async def act(call: Call) -> Answer:
    """Reset, resolve or release one effect, or say on its page why that can't be."""
    sent = await call.form()
    action = call.names["action"]
    if action not in _ACTIONS:
        raise PageError(404, "Nothing here", "There is no such action.")
    call.require_actor()
    row = effects.row_of(call.names["id"])
    found = await call.store.read(queries.effect, {"realm_id": call.realm_id, "id": row})
    if found is None:
        raise effects.not_found()
    try:
        await _act(call, action, found, sent)
    except InputError as exc:
        return await effects.effect_page(call, row, status=422, error=str(exc), **_typed(sent))
    except RefusedError as refusal:
        text = f"Nothing was changed: {refusal}."
        return await effects.effect_page(call, row, status=409, error=text, **_typed(sent))
    return answers.redirect(f"{call.root}/effects/{call.names['id']}")


async def _act(call: Call, action: str, effect: Effect, sent: dict[str, str]) -> None:
    reason = checked_reason(sent)
    seen = sent.get("fence", "")
    if not (seen.isascii() and seen.isdigit() and len(seen) < 19):
        raise InputError("The form does not say which state of the effect it is about.")
    result = outcome(sent) if action == "resolve" else None
    await do(call, action, effect, reason=reason, result=result, seen_fence=int(seen))


async def do(
    call: Call, action: str, effect: Effect, *, reason: str, result: str | None, seen_fence: int
) -> None:
    """Have the ledger do it. Raises RefusedError, also when the effect has moved on since."""
    which = call.effect(effect.namespace, effect.effect_key)
    by = call.session.principal.key_name
    if action == "reset":
        await call.ledger.reset(which, reason=reason, by=by, seen_fence=seen_fence)
    elif action == "release":
        await call.ledger.release(which, reason=reason, by=by, seen_fence=seen_fence)
    else:
        await call.ledger.resolve(which, result=result, reason=reason, by=by, seen_fence=seen_fence)


def checked_reason(sent: dict[str, str]) -> str:
    """Why. Raises InputError, in words for the page."""
    reason = sent.get("reason", "").strip()
    if not reason:
        raise InputError("Say why: the reason goes into the audit trail.")
    if len(reason) > MAX_REASON:
        raise InputError(f"A reason has at most {MAX_REASON:,} characters.")
    return reason


def outcome(sent: dict[str, str]) -> str | None:
    """The result of what was done, as JSON; None when it was not done. Raises InputError."""
    chosen = sent.get("outcome")
    if chosen == "not_done":
        return None
    if chosen != "done":
        raise InputError("Say whether it was done or not.")
    typed = sent.get("result", "").strip() or "null"
    try:
        value = jsontext.parse(typed.encode())
    except ProblemError:
        raise InputError(
            'The result is not JSON. Write {"id": 7}, "a text in quotes", or null.'
        ) from None
    if jsontext.size(value) > MAX_PAYLOAD:
        raise InputError(f"A result takes at most {MAX_PAYLOAD:,} bytes.")
    return jsontext.dump(value)


def _typed(sent: dict[str, str]) -> dict[str, str]:
    return {name: sent.get(name, "") for name in ("reason", "result", "outcome")}
