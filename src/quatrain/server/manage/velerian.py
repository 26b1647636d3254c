"""Velerian, managed: keys, ABPs and networks, what waits for a person, and the runs."""

from __future__ import annotations

import asyncio
from typing import Final

from quatrain.errors import InputError
from quatrain.server.answers import Items, Page, Scroll
from quatrain.server.cursors import cursor, row_of
from quatrain.server.problems import Fault, ProblemError, validation_failed
from quatrain.server.times import ms_of
from quatrain.server.velerian import answers, render
from quatrain.server.velerian.keys import DEFAULT_SCOPES, VelerianKeys
from quatrain.server.velerian.networks import DEFAULT_MODEL

from .call import Call, items
from .schema import (
    AbpBody,
    ApprovalsQuery,
    DecisionBody,
    NetworkBody,
    PartQuery,
    RunsQuery,
    VelerianKeyBody,
)

NOBODY: Final = "local"
"""Who does something, unless it is said."""


# -- keys -----------------------------------------------------------------------------------------


async def list_keys(call: Call) -> Items[answers.Key]:
    """Every key, revoked and expired ones too."""
    return items(map(render.key, await asyncio.to_thread(_keys(call).list, call.tenant)))


async def add_key(call: Call, body: VelerianKeyBody) -> answers.NewKey:
    """A new key; its secret is in this answer and in no other."""
    made, secret = await asyncio.to_thread(
        _keys(call).create,
        call.tenant,
        name=body.name or "default",
        scopes=DEFAULT_SCOPES if body.scopes is None else body.scopes,
        user_id=body.user_id or NOBODY,
        rate_per_minute=body.rate_per_minute,
        expires_at=None if body.expires_at is None else ms_of(body.expires_at),
    )
    return {**render.key(made), "key": secret.reveal()}


async def revoke_key(call: Call) -> answers.Key:
    """From now on the key opens nothing."""
    revoke = _keys(call).revoke
    try:
        return render.key(await asyncio.to_thread(revoke, call.tenant, call.names["key_id"]))
    except InputError as exc:
        raise ProblemError(404, "not_found", str(exc)) from exc


def _keys(call: Call) -> VelerianKeys:
    return call.services.velerian.keys


# -- ABPs and networks ----------------------------------------------------------------------------


async def list_abps(call: Call, query: PartQuery) -> Page[answers.Abp]:
    """In every state."""
    found = await call.services.velerian.abps.page(
        call.tenant, limit=query.limit, offset=query.offset
    )
    return render.listed(map(render.abp, found.items), query, found.total)


async def add_abp(call: Call, body: AbpBody) -> answers.Abp:
    """A new one under a policy."""
    made = await call.services.velerian.abps.create(
        call.tenant,
        name=body.name,
        policy=body.policy,
        abp_id=body.abp_id,
        state=body.state or "draft",
    )
    return render.abp(made)


async def deploy_abp(call: Call) -> answers.Abp:
    """From now on it can be invoked."""
    return render.abp(await call.services.velerian.abps.deploy(call.tenant, call.names["abp_id"]))


async def retire_abp(call: Call) -> answers.Abp:
    """From now on it can't be invoked, for good."""
    return render.abp(await call.services.velerian.abps.retire(call.tenant, call.names["abp_id"]))


async def list_networks(call: Call) -> Items[answers.Network]:
    """All of them."""
    return items(map(render.network, await call.services.velerian.networks.list(call.tenant)))


async def add_network(call: Call, body: NetworkBody) -> answers.Network:
    """A new one, with a policy or without."""
    made = await call.services.velerian.networks.create(
        call.tenant,
        body.slug,
        name=body.name,
        model_id=DEFAULT_MODEL if body.model_id is None else body.model_id,
        policy=body.policy,
    )
    return render.network(made)


# -- approvals ------------------------------------------------------------------------------------


async def list_approvals(call: Call, query: ApprovalsQuery) -> Page[answers.Approval]:
    """What waits for a person, and what was decided."""
    found = await call.services.velerian.approvals.page(
        call.tenant, limit=query.limit, offset=query.offset, state=query.state
    )
    return render.listed(map(render.approval, found.items), query, found.total)


async def approve(call: Call, body: DecisionBody) -> answers.Approval:
    """Let the held invocation go on to its end."""
    decided = await call.services.velerian.approvals.approve(
        call.tenant, call.names["approval_id"], by=body.by or NOBODY, reason=body.reason
    )
    return render.approval(decided)


async def reject(call: Call, body: DecisionBody) -> answers.Approval:
    """Deny the held invocation."""
    if body.reason is None:
        raise validation_failed([Fault(("body", "reason"), "is missing", "missing")])
    decided = await call.services.velerian.approvals.reject(
        call.tenant, call.names["approval_id"], by=body.by or NOBODY, reason=body.reason
    )
    return render.approval(decided)


# -- runs -----------------------------------------------------------------------------------------


async def list_runs(call: Call, query: RunsQuery) -> Scroll[answers.Run]:
    """A page of the runs, newest first."""
    found = await call.services.velerian.runs.newest(
        call.tenant,
        limit=query.limit + 1,  # one more than asked for tells whether there is a next page
        before=row_of(query.cursor),
        status=query.status,
    )
    shown = found[: query.limit]
    more = len(found) > query.limit
    return {**items(map(render.run, shown)), "next_cursor": cursor(shown[-1].id if more else None)}


async def get_run(call: Call) -> answers.Run:
    """One run, as far as it has come."""
    return render.run(await call.services.velerian.runs.get(call.tenant, call.names["run_id"]))
