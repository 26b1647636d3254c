"""The ledger's changes, each one statement and its line of audit in one transaction.

Every function is an operation of the store: ``(connection, now, params)``, and an answer. A refusal
is returned, not raised: it is an answer like another, and the transaction goes on. The *params* are
the statement's own; *now* joins them here, in the store's thread, when the turn has come: only the
server's clock decides.

They may run side by side with those of other processes: the statement that changes the row also
judges it, and holds it until the transaction's end.
"""

from __future__ import annotations

import hmac
import json
from typing import Any, Final, NamedTuple, TypeAlias

from quatrain.server.problems import RefusedError
from quatrain.server.store import Connection, queries, side_by_side
from quatrain.server.times import iso_time

from .queries import get
from .records import (
    Cached,
    Effect,
    EffectChangedError,
    EffectNotFoundError,
    EventType,
    Granted,
    LeaseExpiredError,
    LeaseHeldError,
    NotHeldError,
    NotResettableError,
    NotResolvableError,
    Observed,
    PriorState,
    Renewed,
    Settled,
    StaleFenceError,
    Status,
)

Params: TypeAlias = dict[str, Any]

_SQL: Final = queries.load("effects")
_LEASE: Final = _SQL["lease"]
_COMMIT: Final = _SQL["commit"]
_FAIL: Final = _SQL["fail"]
_ADD_EVENT: Final = _SQL["add_event"]

# plain strings, which SQLite's driver binds without looking for adapters; status and event alike
_GRANTED: Final = EventType.LEASE_GRANTED.value
_RENEWED: Final = EventType.LEASE_RENEWED.value
_COMMITTED: Final = EventType.COMMITTED.value
_FAILED: Final = EventType.FAILED.value


def place(params: Params) -> tuple[int, str, str]:
    """Which row is changed."""
    return params["realm_id"], params["namespace"], params["effect_key"]


class _State(NamedTuple):
    """The row a refusal is explained from: columns of the statement ``state``."""

    effect_id: int
    status: Status
    fence_token: int
    lease_token_hash: bytes
    agent_id: str | None
    run_id: str | None
    lease_expires_at: int | None
    result: str | None
    error: str | None


@side_by_side(place)
def lease(connection: Connection, now: int, params: Params) -> Granted | Cached | LeaseHeldError:
    """Grant the lease, or answer with what is settled, or say who holds it."""
    params["now"] = now
    row = connection.execute(_LEASE, params).fetchone()
    if row is None:
        return not_granted(connection, params)
    granted = granted_by(row)
    effect_id, fence_token, prior = granted.effect_id, granted.fence_token, granted.prior_state
    if prior == PriorState.EXPIRED:
        _add_expiry(connection, now, effect_id, fence_token - 1, row[-1])
    until = iso_time(granted.lease_expires_at)
    detail = f'{{"priorState": "{prior}", "leaseExpiresAt": "{until}"}}'
    line = (effect_id, _GRANTED, now, fence_token, params["agent_id"], params["run_id"], detail)
    connection.execute(_ADD_EVENT, line)
    return granted


def granted_by(row: tuple[Any, ...]) -> Granted:
    """What the statement's row says of a lease that was granted."""
    effect_id, fence_token, first_fence, lease_expires_at, prior_expires_at = row
    if fence_token == first_fence:
        prior = PriorState.NONE
    elif prior_expires_at is None:
        prior = PriorState.RESET
    else:
        prior = PriorState.EXPIRED
    return Granted(effect_id, fence_token, lease_expires_at, prior)


def not_granted(connection: Connection, params: Params) -> Cached | LeaseHeldError:
    """Why the statement had no row."""
    state = _State(*connection.execute(_SQL["state"], params).fetchone())
    if state.lease_expires_at is not None:
        return LeaseHeldError(state.agent_id, state.fence_token, state.lease_expires_at)
    payload = state.result if state.status == Status.COMMITTED else state.error
    return Cached(state.effect_id, state.fence_token, Status(state.status), payload or "null")


@side_by_side(place)
def renew(connection: Connection, now: int, params: Params) -> Renewed | RefusedError:
    """Move the lease's end; a lease that ran out stays so."""
    params["now"] = now
    row = connection.execute(_SQL["renew"], params).fetchone()
    if row is None:
        return not_renewed(connection, params)
    effect_id, agent_id, run_id, lease_expires_at = row
    detail = f'{{"leaseExpiresAt": "{iso_time(lease_expires_at)}"}}'
    line = (effect_id, _RENEWED, now, params["fence_token"], agent_id, run_id, detail)
    connection.execute(_ADD_EVENT, line)
    return Renewed(lease_expires_at)


def not_renewed(connection: Connection, params: Params) -> RefusedError:
    """Why the statement had no row."""
    state = _of_newest_lease(connection, params)
    if isinstance(state, _State) and state.status == Status.RUNNING:
        return LeaseExpiredError("the lease has run out and can't be renewed")
    return _not_running(state)


@side_by_side(place)
def commit(connection: Connection, now: int, params: Params) -> Settled | RefusedError:
    """Settle the effect with its result; the repeat of a winning commit is answered as one."""
    return _settle(connection, now, params, _COMMIT, _COMMITTED)


@side_by_side(place)
def fail(connection: Connection, now: int, params: Params) -> Settled | RefusedError:
    """Settle the effect with its error; the repeat of a winning fail is answered as one.

    The next lease forgets the error; the trail goes on telling it, in short.
    """
    return _settle(connection, now, params, _FAIL, _FAILED)


def _settle(
    connection: Connection, now: int, params: Params, statement: str, status: str
) -> Settled | RefusedError:
    params["now"] = now
    row = connection.execute(statement, params).fetchone()
    if row is None:
        return not_settled(connection, params, status)
    effect_id, agent_id, run_id = row
    run_id = params["run_id"] or run_id
    line = (effect_id, status, now, params["fence_token"], agent_id, run_id, params["detail"])
    connection.execute(_ADD_EVENT, line)
    return Settled(effect_id, params["fence_token"], repeated=False)


def not_settled(connection: Connection, params: Params, status: str) -> Settled | RefusedError:
    """Why the statement had no row: most of all, because it is settled that way already."""
    state = _of_newest_lease(connection, params)
    if isinstance(state, _State) and state.status == status:
        return Settled(state.effect_id, state.fence_token, repeated=True)
    return _not_running(state)


@side_by_side(place)
def report_observe(connection: Connection, now: int, params: Params) -> Observed | RefusedError:
    """Note that a holder looked whether the action had happened; changes no state.

    The report may come after the commit: clients send it in the background.
    """
    params["now"] = now
    connection.execute(_SQL["lock"], params)  # what is granted now is told of after this
    state = _of_newest_lease(connection, params)
    if isinstance(state, RefusedError):
        return state
    found = EventType.OBSERVE_HIT if params["hit"] else EventType.OBSERVE_MISS
    duration_ms = params["duration_ms"]
    detail = None if duration_ms is None else f'{{"durationMs": {duration_ms}}}'
    whose = (state.fence_token, state.agent_id, state.run_id)
    connection.execute(_ADD_EVENT, (state.effect_id, found, now, *whose, detail))
    return Observed(state.effect_id, state.fence_token)


@side_by_side(place)
def reset(connection: Connection, now: int, params: Params) -> Effect | RefusedError:
    """Let an effect that failed or expired begin again."""
    params["now"] = now
    row = connection.execute(_SQL["reset"], params).fetchone()
    if row is None:
        only = "a FAILED or an EXPIRED one may be reset"
        return _not_for_operator(connection, now, params, NotResettableError, only)
    effect_id, fence_token, prior_expires_at = row
    if prior_expires_at is not None:
        _add_expiry(connection, now, effect_id, fence_token, prior_expires_at)
    return _done_by_operator(connection, now, params, (effect_id, EventType.RESET, fence_token))


@side_by_side(place)
def resolve(connection: Connection, now: int, params: Params) -> Effect | RefusedError:
    """Settle an uncertain effect by what a person found out: done, with a result, or not done."""
    params["now"] = now
    done = params["result"] is not None
    statement = _SQL["resolve_done" if done else "resolve_not_done"]
    row = connection.execute(statement, params).fetchone()
    if row is None:
        only = "what is EXPIRED may be resolved"
        return _not_for_operator(connection, now, params, NotResolvableError, only)
    effect_id, fence_token, prior_expires_at = row
    held = fence_token - 1 if done else fence_token
    _add_expiry(connection, now, effect_id, held, prior_expires_at)
    kind = EventType.RESOLVED_DONE if done else EventType.RESOLVED_NOT_DONE
    return _done_by_operator(connection, now, params, (effect_id, kind, fence_token))


@side_by_side(place)
def release(connection: Connection, now: int, params: Params) -> Effect | RefusedError:
    """Take the lease from its holder, who is refused from now on."""
    params["now"] = now
    row = connection.execute(_SQL["release"], params).fetchone()
    if row is None:
        only = "what is RUNNING may be released"
        return _not_for_operator(connection, now, params, NotHeldError, only)
    effect_id, fence_token, agent_id = row
    line = (effect_id, EventType.LEASE_RELEASED, fence_token)
    return _done_by_operator(connection, now, params, line, holder=agent_id)


# -- what they share ------------------------------------------------------------------------------


def _done_by_operator(
    connection: Connection,
    now: int,
    params: Params,
    what: tuple[int, EventType, int],
    **more: str | None,
) -> Effect | RefusedError:
    """Write who did *what* (effect, event, fence) and why; the effect as it is now."""
    effect_id, kind, fence_token = what
    told = {name: value for name, value in more.items() if value is not None}
    detail = json.dumps({"reason": params["reason"], "by": params["by"], **told})
    # done by a key's owner, not by an agent
    line = (effect_id, kind.value, now, fence_token, None, None, detail)
    connection.execute(_ADD_EVENT, line)
    # read in the same transaction: the answer is this change's, whatever is granted next
    return get(connection, now, params) or EffectNotFoundError("there is no such effect")


def _not_for_operator(
    connection: Connection, now: int, params: Params, refusal: type[RefusedError], only: str
) -> RefusedError:
    found = connection.execute(_SQL["state"], params).fetchone()
    if found is None:
        return EffectNotFoundError("there is no such effect")
    state = _State(*found)
    if _has_changed(state, params):
        return _changed(state)
    return refusal(f"the effect is {_shown(state, now)}: only {only}")


def _has_changed(state: _State, params: Params) -> bool:
    return params["seen_fence"] not in {None, state.fence_token}


def _changed(state: _State) -> EffectChangedError:
    return EffectChangedError(
        f"the effect has moved on since it was looked at: it is {state.status} now, under the fence"
        f" token {state.fence_token}"
    )


def _shown(state: _State, now: int) -> str:
    """The status by the clock."""
    until = state.lease_expires_at
    return Status.EXPIRED if until is not None and until <= now else state.status


def _add_expiry(
    connection: Connection, now: int, effect_id: int, fence_token: int, expired_at: int
) -> None:
    """Write that the lease which was granted with that fence ran out; a released one did not."""
    expired = {
        "effect_id": effect_id,
        "at": now,
        "fence_token": fence_token + 1,
        "detail": _expired_detail(expired_at),
    }
    connection.execute(_SQL["add_expiry_of_previous_lease"], expired)


def _of_newest_lease(connection: Connection, params: Params) -> _State | RefusedError:
    """The effect, when the caller's tokens are those of its newest lease, held or not."""
    row = connection.execute(_SQL["state"], params).fetchone()
    if row is None:
        return EffectNotFoundError("there is no such effect")
    state = _State(*row)
    given = params["fence_token"]
    if given != state.fence_token:
        return StaleFenceError(
            f"fence token {given} is not the newest, which is {state.fence_token}"
        )
    if not hmac.compare_digest(params["lease_token_hash"], state.lease_token_hash):
        return StaleFenceError("the lease token is not the one that came with this fence token")
    return state


def _not_running(state: _State | RefusedError) -> RefusedError:
    if isinstance(state, RefusedError):
        return state
    return StaleFenceError(f"the effect is {state.status}, and no lease of it is held")


def _expired_detail(expired_at: int) -> str:
    return f'{{"leaseExpiredAt": "{iso_time(expired_at)}"}}'
