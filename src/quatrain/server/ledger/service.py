"""The ledger of effects: what may be asked of it, whoever asks and however they are connected."""

from __future__ import annotations

import hashlib
import json
from typing import Final, TypeVar

import attrs

from quatrain.server.problems import accepted
from quatrain.server.randomness import token
from quatrain.server.store import Store

from . import operations, queries, trail
from .errors import in_short
from .queries import EffectsPage, EventsPage, Filter
from .records import (
    Cached,
    Effect,
    EffectNotFoundError,
    Granted,
    LeaseHeldError,
    Observed,
    Renewed,
    Settled,
)
from .trail import Place, TrailPage

T = TypeVar("T")

DEFAULT_LEASE_MS: Final = 30_000
MIN_LEASE_MS: Final = 5_000
MAX_LEASE_MS: Final = 120_000
_START: Final = Place(0, 0)


@attrs.frozen
class EffectId:
    """Which effect: its key in a namespace in a realm (one tenant's test or live data)."""

    realm_id: int
    namespace: str
    effect_key: str


@attrs.frozen
class Holder:
    """An effect and the tokens that a lease of it came with."""

    effect: EffectId
    fence_token: int
    lease_token: str = attrs.field(repr=False)


class Ledger:
    """Lease, observe, act, commit: an effect happens once however often it is tried.

    Every method answers when the change is on the disk. A RefusedError is raised when the effect's
    state forbids it, StoreUnavailableError when the database can't be used. Payloads are JSON
    texts. Source: contracts, Verity.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lease(
        self,
        effect: EffectId,
        *,
        lease_duration_ms: int = DEFAULT_LEASE_MS,
        effect_name: str | None = None,
        agent_id: str | None = None,
        workflow_name: str | None = None,
        case_id: str | None = None,
        run_id: str | None = None,
        input_json: str | None = None,
    ) -> tuple[Granted, str] | Cached:
        """A lease and its token, or what the effect was settled with; raises LeaseHeldError."""
        lease_token = token()
        params = {
            "realm_id": effect.realm_id,
            "namespace": effect.namespace,
            "effect_key": effect.effect_key,
            "effect_name": effect_name,
            "lease_token_hash": _hash(lease_token),
            "lease_duration_ms": lease_duration_ms,
            "agent_id": agent_id,
            "workflow_name": workflow_name,
            "case_id": case_id,
            "run_id": run_id,
            "input_json": input_json,
        }
        answer = await self._store.write(operations.lease, params)
        if isinstance(answer, LeaseHeldError):
            raise answer
        return (answer, lease_token) if isinstance(answer, Granted) else answer

    async def commit(
        self, holder: Holder, *, result: str, source: str | None = None, run_id: str | None = None
    ) -> Settled:
        """Settle the effect for good; raises EffectNotFoundError or StaleFenceError."""
        params = _of_holder(holder)
        params |= {"result": result, "source": source, "run_id": run_id, "detail": _detail(source)}
        return accepted(await self._store.write(operations.commit, params))

    async def fail(
        self, holder: Holder, *, error: str, source: str | None = None, run_id: str | None = None
    ) -> Settled:
        """Settle the effect until it is reset; raises EffectNotFoundError or StaleFenceError."""
        params = _of_holder(holder)
        params |= {"error": error, "source": source, "run_id": run_id}
        params["detail"] = _detail(source, error=in_short(error))
        return accepted(await self._store.write(operations.fail, params))

    async def renew(self, holder: Holder, *, extension_ms: int | None = None) -> Renewed:
        """Hold the lease that much longer from now, or its own duration.

        Raises LeaseExpiredError, EffectNotFoundError or StaleFenceError: the lease is gone.
        """
        params = {**_of_holder(holder), "extension_ms": extension_ms}
        return accepted(await self._store.write(operations.renew, params))

    async def report_observe(
        self, holder: Holder, *, hit: bool, duration_ms: int | None = None
    ) -> Observed:
        """Note what an observe found, for audit; raises EffectNotFoundError or StaleFenceError."""
        params = {**_of_holder(holder), "hit": hit, "duration_ms": duration_ms}
        return accepted(await self._store.write(operations.report_observe, params))

    async def reset(
        self, effect: EffectId, *, reason: str, by: str, seen_fence: int | None = None
    ) -> Effect:
        """Let it begin again; raises EffectNotFoundError or NotResettableError.

        With the fence token that the operator had *seen*, EffectChangedError when it has moved on.
        So for ``resolve`` and ``release``.
        """
        params = {**_of_effect(effect), "reason": reason, "by": by, "seen_fence": seen_fence}
        return accepted(await self._store.write(operations.reset, params))

    async def resolve(
        self,
        effect: EffectId,
        *,
        result: str | None,
        reason: str,
        by: str,
        seen_fence: int | None = None,
    ) -> Effect:
        """Settle an expired effect as done with *result*, or with None as not done.

        Done, it is committed under the next fence token, so that its last holder is refused; not
        done, it may begin again. Raises EffectNotFoundError or NotResolvableError.
        """
        params = {**_of_effect(effect), "reason": reason, "by": by, "seen_fence": seen_fence}
        params |= {"result": result, "lease_token_hash": _hash(token())}
        return accepted(await self._store.write(operations.resolve, params))

    async def release(
        self, effect: EffectId, *, reason: str, by: str, seen_fence: int | None = None
    ) -> Effect:
        """Take the lease from its holder, who is refused from now on: the effect is expired.

        Raises EffectNotFoundError or NotHeldError.
        """
        params = {**_of_effect(effect), "reason": reason, "by": by, "seen_fence": seen_fence}
        params["lease_token_hash"] = _hash(token())
        return accepted(await self._store.write(operations.release, params))

    async def get(self, effect: EffectId) -> Effect:
        """The effect with its payloads; raises EffectNotFoundError."""
        found = await self._store.read(queries.get, _of_effect(effect))
        return _found(found)

    async def of_key(self, realm_id: int, effect_key: str) -> list[Effect]:
        """The effects of one key in every namespace, without their payloads, newest first."""
        params = {"realm_id": realm_id, "effect_key": effect_key}
        return await self._store.read(queries.of_key, params)

    async def list(
        self,
        realm_id: int,
        wanted: Filter,
        *,
        limit: int,
        before: int | None = None,
        payloads: bool = False,
    ) -> EffectsPage:
        """A page of effects, newest first; *before* is the ``next`` of the page before it."""
        params = {
            "realm_id": realm_id,
            "filter": wanted,
            "limit": limit,
            "before": before,
            "payloads": payloads,
        }
        return await self._store.read(queries.list_effects, params)

    async def events(self, effect: EffectId, *, limit: int, after: int = 0) -> EventsPage:
        """A page of its audit trail, oldest first; raises EffectNotFoundError."""
        params = {**_of_effect(effect), "limit": limit, "after": after}
        return _found(await self._store.read(queries.events, params))

    async def trail(
        self, realm_id: int, *, limit: int, namespace: str | None = None, after: Place = _START
    ) -> TrailPage:
        """A page of the audit trails of all effects; *after* is the ``next`` of the one before."""
        params = {"realm_id": realm_id, "namespace": namespace, "limit": limit, "after": after}
        return await self._store.read(trail.page, params)


def _of_effect(effect: EffectId) -> operations.Params:
    return {
        "realm_id": effect.realm_id,
        "namespace": effect.namespace,
        "effect_key": effect.effect_key,
    }


def _of_holder(holder: Holder) -> operations.Params:
    return {
        "realm_id": holder.effect.realm_id,
        "namespace": holder.effect.namespace,
        "effect_key": holder.effect.effect_key,
        "fence_token": holder.fence_token,
        "lease_token_hash": _hash(holder.lease_token),
    }


def _detail(source: str | None, **more: str) -> str | None:
    """What the audit trail tells of how an effect was settled."""
    told = more if source is None else {"source": source, **more}
    return json.dumps(told) if told else None


def _hash(lease_token: str) -> bytes:
    # at rest only the hash: who reads the database can't commit in an agent's name
    return hashlib.sha256(lease_token.encode()).digest()


def _found(answer: T | None) -> T:
    if answer is None:
        raise EffectNotFoundError("there is no such effect")
    return answer
