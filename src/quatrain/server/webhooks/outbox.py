"""Events on their way out: written with the change they tell of, claimed, settled, sent again.

Every function is an operation of the store: ``(connection, now, params)``, and an answer. A refusal
is returned, not raised. Deliveries are sent at least once: a claim ends by itself when its process
died, and only the newest claim of a delivery may settle it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

import attrs

from quatrain.server.randomness import token
from quatrain.server.store import Connection, queries

from . import schedule
from .endpoints import endpoint_of
from .records import (
    Claim,
    DeliveriesPage,
    Delivery,
    DeliveryNotFoundError,
    DeliveryStatus,
    EndpointRemovedError,
    Outcome,
)

Params: TypeAlias = dict[str, Any]

_SQL: Final = queries.load("webhooks")
KEPT_MS: Final = 30 * 86_400_000
"""How long it is known what became of a delivery. Each new one lets go of a few that are older."""
_COLUMNS: Final = ", ".join(field.name for field in attrs.fields(Delivery))


@attrs.frozen(kw_only=True)
class Filter:
    """Which deliveries of an account; None lets all pass."""

    status: DeliveryStatus | None = None
    event_type: str | None = None
    endpoint_id: int | None = None


def add(
    connection: Connection, now: int, endpoint_id: int, event_type: str, payload_json: str
) -> str:
    """Put an event into the outbox, within the transaction of its change; returns its id.

    It is due at once. Whoever wrote it wakes the dispatcher after the transaction.
    """
    delivery_id = f"dlv_{token()}"
    values = {
        "delivery_id": delivery_id,
        "endpoint_id": endpoint_id,
        "event_type": event_type,
        "payload": payload_json,
        "tries": schedule.TRIES,
        "now": now,
    }
    connection.execute(_SQL["add"], values)
    connection.execute(_SQL["forget_oldest"], {"before": now - KEPT_MS})
    return delivery_id


# -- the dispatcher's -----------------------------------------------------------------------------


def next_due(connection: Connection, _now: int, without: Collection[int]) -> int | None:
    """When the next delivery is due, but for the endpoints *without*; None when nothing waits."""
    firsts = connection.execute(_SQL["first_of_each_endpoint"])
    return min((due for endpoint_id, due in firsts if endpoint_id not in without), default=None)


def claim(connection: Connection, now: int, params: Params) -> list[Claim]:
    """Take due deliveries; until their claims end nobody else gets them.

    *params*: limit, claim_ms; and per_endpoint, the most of one endpoint that may be under way,
    with busy, how many are already, by endpoint. Who has the fewest under way comes first, so that
    a long queue of one endpoint is passed by the others. Of the endpoints *failing*, all together,
    not more than for_failing are taken.
    """
    limit: int = params["limit"]
    per_endpoint: int = params.get("per_endpoint", limit)
    busy: Mapping[int, int] = params.get("busy", {})
    failing: Collection[int] = params.get("failing", ())
    for_failing: int = params.get("for_failing", limit)
    waiting = sorted(
        (busy.get(endpoint_id, 0), due, endpoint_id)
        for endpoint_id, due in connection.execute(_SQL["first_of_each_endpoint"])
        if due <= now and busy.get(endpoint_id, 0) < per_endpoint
    )
    # each gives one row at least: more endpoints than rows wanted need not be looked into
    looked_into = [each for each in waiting if each[2] not in failing][:limit]
    looked_into += [each for each in waiting if each[2] in failing][:for_failing]
    found: list[tuple[int, int, int, bool]] = []
    for under_way, _, endpoint_id in looked_into:
        room = {"endpoint_id": endpoint_id, "now": now, "limit": per_endpoint - under_way}
        fails = endpoint_id in failing
        rows = connection.execute(_SQL["due"], room)
        found += [(under_way + more, due, row_id, fails) for more, (row_id, due) in enumerate(rows)]
    found.sort()
    too_many = [each for each in found if each[3]][for_failing:]
    chosen = [each for each in found if each not in too_many][:limit]
    values = {"now": now, "claim_ms": params["claim_ms"]}
    return [_claim(connection, {**values, "id": row_id}) for _, _, row_id, _ in chosen]


def _claim(connection: Connection, values: Params) -> Claim:
    row_id, delivery_id, endpoint_id, event_type, payload, attempt, until = connection.execute(
        _SQL["claim"], values
    ).fetchone()
    endpoint = endpoint_of(
        connection.execute(_SQL["get_endpoint"], {"endpoint_id": endpoint_id}).fetchone()
    )
    return Claim(
        row_id,
        delivery_id,
        endpoint_id,
        endpoint.url,
        endpoint.secret,
        event_type,
        payload,
        attempt,
        until,
    )


def settle(connection: Connection, now: int, params: Params) -> DeliveryStatus | None:
    """Note what came of an attempt: delivered, to be tried again, or given up.

    *params*: id and attempt (the claim's), outcome, luck. None: the claim is no longer the newest,
    or the delivery was cancelled, or this has been noted already; nothing is changed then.
    """
    outcome: Outcome = params["outcome"]
    values = {"id": params["id"], "attempt": params["attempt"]}
    row = connection.execute(_SQL["tries_of_claimed"], values).fetchone()
    if row is None:
        return None
    status, due = DeliveryStatus.DELIVERED, None
    if not outcome.delivered:
        delay = schedule.seconds_until_next_try(
            schedule.TRIES - row[0] + 1, luck=params["luck"], retry_after=outcome.retry_after
        )
        status = DeliveryStatus.FAILED if delay is None else DeliveryStatus.PENDING
        due = None if delay is None else now + round(delay * 1000)
    noted = {
        "id": params["id"],
        "status": status.value,
        "next_attempt_at": due,
        "delivered_at": now if outcome.delivered else None,
        "last_status": outcome.status,
        "last_error": outcome.error,
    }
    connection.execute(_SQL["settle"], noted)
    return status


# -- the account's --------------------------------------------------------------------------------


def get_delivery(
    connection: Connection, _now: int, params: Params
) -> Delivery | DeliveryNotFoundError:
    """One delivery. *params*: account_id, delivery_id."""
    row = connection.execute(_SQL["get"].format(columns=_COLUMNS), params).fetchone()
    return DeliveryNotFoundError("there is no such delivery") if row is None else _delivery(row)


def list_deliveries(connection: Connection, _now: int, params: Params) -> DeliveriesPage:
    """A page of an account's deliveries, newest first.

    *params*: account_id, filter, limit, before (the ``next`` of the page before it, or None).
    """
    wanted: Filter = params["filter"]
    conditions = {
        "status = :status": wanted.status,
        "event_type = :event_type": wanted.event_type,
        "id < :before": params["before"],
    }
    newest = _SQL["newest"].format(
        filters="".join(f" AND {text}" for text, value in conditions.items() if value is not None),
    )
    limit: int = params["limit"]
    values = {
        "status": wanted.status,
        "event_type": wanted.event_type,
        "before": params["before"],
        "limit": limit + 1,  # one more than asked for tells whether there is a next page
    }
    account = {"account_id": params["account_id"]}
    mine = [row[0] for row in connection.execute(_SQL["endpoints_of_account"], account)]
    # endpoint by endpoint: each finds its newest by an index, where all at once would be sorted
    found = [
        row_id
        for endpoint_id in mine
        if wanted.endpoint_id in {None, endpoint_id}
        for (row_id,) in connection.execute(newest, {**values, "endpoint_id": endpoint_id})
    ]
    found.sort(reverse=True)
    one = _SQL["delivery"].format(columns=_COLUMNS)
    items = [
        _delivery(connection.execute(one, {"id": row_id}).fetchone()) for row_id in found[:limit]
    ]
    return DeliveriesPage(items=items, next=items[-1].id if len(found) > limit else None)


def resend(
    connection: Connection, now: int, params: Params
) -> Delivery | DeliveryNotFoundError | EndpointRemovedError:
    """Send a delivery again, whatever its status: same id, due now, as many tries as a new one.

    *params*: account_id, delivery_id. One that is under way is not sent a second time meanwhile.
    """
    found = get_delivery(connection, now, params)
    if isinstance(found, DeliveryNotFoundError):
        return found
    values = {"endpoint_id": found.endpoint_id}
    endpoint = endpoint_of(connection.execute(_SQL["get_endpoint"], values).fetchone())
    if endpoint.removed_at is not None:
        return EndpointRemovedError("the delivery's endpoint was removed")
    again = {"id": found.id, "tries": schedule.TRIES, "now": now}
    connection.execute(_SQL["resend"], again)
    return _delivery(connection.execute(_SQL["get"].format(columns=_COLUMNS), params).fetchone())


def _delivery(row: tuple[Any, ...]) -> Delivery:
    columns = list(row)
    columns[5] = DeliveryStatus(columns[5])
    return Delivery(*columns)
