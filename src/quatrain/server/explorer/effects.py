"""The list of effects, and the page of one."""

from __future__ import annotations

import re
from typing import Any, Final

from quatrain.errors import InputError
from quatrain.server.ledger import Status
from quatrain.server.verity.render import effect_id
from quatrain.server.webpages import Answer, PageError

from . import queries
from .allowed import can, offered
from .attempts import attempts
from .call import Call
from .filters import AGES, Wanted
from .stuck import advice

PER_PAGE: Final = 50

_ID: Final = re.compile(r"eff_([0-9a-f]{12,16})")
_ROW: Final = re.compile(r"[0-9]{1,18}")


async def show_list(call: Call) -> Answer:
    """Effects, newest first: a page, or its next rows for the script that scrolls."""
    query = call.query()
    error = None
    try:
        wanted = Wanted.of(query)
    except InputError as exc:
        wanted, error = Wanted(), str(exc)
    given = query.get("before", "")
    before = int(given) if _ROW.fullmatch(given) else None
    params = {
        "realm_id": call.realm_id,
        "wanted": wanted,
        "before": before,
        "limit": PER_PAGE,
        "payloads": False,
    }
    part = await call.store.read(queries.part, params)
    values: dict[str, Any] = {
        "wanted": wanted,
        "items": part.items,
        "next": part.next,
        "searched": part.searched,
        "scan": queries.SCAN,
        "now": call.store.now_ms(),
        "effect_id": effect_id,
    }
    if call.partial:
        return call.page("_rows.html", **values)
    status = 200 if error is None else 400
    more: dict[str, Any] = {
        "states": list(Status),
        "ages": AGES,
        "error": error,
        "first": before is None,
    }
    more["offered"] = offered(wanted) if call.session.may_act and part.items else []
    return call.page("effects.html", status=status, **more, **values)


async def show_newer(call: Call) -> Answer:
    """For the script that watches a list: a link to what has begun since, or nothing."""
    query = call.query()
    given = query.get("after", "")
    try:
        wanted = Wanted.of(query)
    except InputError as exc:
        raise PageError(400, "That did not work", str(exc)) from None
    params = {
        "realm_id": call.realm_id,
        "wanted": wanted,
        "before": None,
        "limit": 1,
        "payloads": False,
    }
    part = await call.store.read(queries.part, params)
    after = int(given) if _ROW.fullmatch(given) else 0
    return call.page("_newer.html", wanted=wanted, newer=any(i.id > after for i in part.items))


async def show(call: Call) -> Answer:
    """One effect: its state, why it is stuck, its attempts, payloads and audit trail."""
    return await effect_page(call, row_of(call.names["id"]))


async def effect_page(
    call: Call, row: int, *, status: int = 200, error: str | None = None, **typed: str
) -> Answer:
    """The page, again with what was *typed* when an action was refused."""
    found = await call.store.read(queries.look, {"realm_id": call.realm_id, "id": row})
    if found is None:
        raise not_found()
    effect, events, cut, now = found
    return call.page(
        "_effect.html" if call.partial else "effect.html",
        status=status,
        effect=effect,
        id=effect_id(effect.id),
        advice=advice(effect, events, now),
        attempts=attempts(effect, events),
        events=events,
        cut=cut,
        now=now,
        can=can(effect),
        error=error,
        typed={"reason": "", "result": "", "outcome": ""} | typed,
    )


def row_of(given: str) -> int:
    """The row that an id in an address names. Raises PageError."""
    found = _ID.fullmatch(given)
    row = int(found[1], 16) if found else 2**63
    if row >= 2**63:
        raise not_found()
    return row


def not_found() -> PageError:
    """404: also for other realms' effects."""
    return PageError(404, "There is no such effect", "It may be of another key’s data.")
