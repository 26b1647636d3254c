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
_ROWS: Final = re.compile(r"(?:[0-9a-f]{1,15}(?:\.[0-9a-f]{1,15})*)?")


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
        "seen": ".".join(f"{item.id:x}" for item in part.items),
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
    """For the script that watches a list: a link, if the list would begin otherwise by now.

    It says which rows it shows, and down to where. The highest id alone would not do: an effect may
    come into the list long after it began, as when it fails; and on PostgreSQL two effects that
    begin at the same time become visible in any order.
    """
    query = call.query()
    shown, floor = query.get("seen", ""), query.get("floor", "")
    if not _ROWS.fullmatch(shown):
        raise PageError(400, "That did not work", "The address does not say what is shown.")
    seen = {int(row, 16) for row in shown.split(".") if row}
    lowest = int(floor) if _ROW.fullmatch(floor) else 0
    try:
        wanted = Wanted.of(query)
    except InputError as exc:
        raise PageError(400, "That did not work", str(exc)) from None
    params = {
        "realm_id": call.realm_id,
        "wanted": wanted,
        "before": None,
        "limit": PER_PAGE,
        "payloads": False,
    }
    part = await call.store.read(queries.part, params)
    newer = any(item.id >= lowest and item.id not in seen for item in part.items)
    return call.page("_newer.html", wanted=wanted, newer=newer)


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
