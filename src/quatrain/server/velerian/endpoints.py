"""Velerian's endpoints: what each answers. Source: contracts, Velerian."""

from __future__ import annotations

import asyncio
from typing import Final

import attrs

from quatrain.errors import InputError
from quatrain.server.answers import Page
from quatrain.server.asgi import Streamed
from quatrain.server.endpoint import Endpoint, Handler, endpoint
from quatrain.server.problems import ProblemError
from quatrain.server.routes import Routes
from quatrain.server.times import ms_of

from . import answers, render, usage
from .call import Call
from .exports import Export
from .keys import ADMIN, AUDIT_READ, EVIDENCE_READ, RUNS_READ, RUNS_WRITE
from .schema import (
    DEFAULT_LIMIT,
    ApprovalsQuery,
    AuditQuery,
    EvidenceQuery,
    InvokeBody,
    KeyBody,
    LinkQuery,
    PackageQuery,
    PageQuery,
    RunBody,
    UsageQuery,
)

# -- keys -----------------------------------------------------------------------------------------


async def create_key(call: Call, body: KeyBody) -> answers.NewKey:
    """A new key of the caller's tenant; the one time that its secret is told."""
    key, secret = await asyncio.to_thread(
        call.services.keys.create,
        call.tenant,
        name=body.name,
        scopes=body.scopes,
        user_id=body.user_id or call.principal.user_id,
        rate_per_minute=body.rate_per_minute,
        expires_at=None if body.expires_at is None else ms_of(body.expires_at),
        by=call.principal.user_id,
    )
    return {**render.key(key), "key": secret.reveal()}


async def list_keys(call: Call, query: PageQuery) -> Page[answers.Key]:
    """Revoked and expired ones too."""
    keys, total = await asyncio.to_thread(
        call.services.keys.page, call.tenant, limit=query.limit, offset=query.offset
    )
    return render.listed(map(render.key, keys), query, total)


async def revoke_key(call: Call) -> answers.Key:
    """From now on it opens nothing."""
    try:
        key = await asyncio.to_thread(
            call.services.keys.revoke,
            call.tenant,
            call.path["id"],
            by=call.principal.user_id,
        )
    except InputError as exc:
        raise ProblemError(404, "not_found", str(exc)) from exc
    return render.key(key)


# -- governed runs --------------------------------------------------------------------------------


async def list_abps(call: Call, query: PageQuery) -> Page[answers.Abp]:
    """In every state."""
    found = await call.services.abps.page(call.tenant, limit=query.limit, offset=query.offset)
    return render.listed(map(render.abp, found.items), query, found.total)


async def get_abp(call: Call) -> answers.Abp:
    """One of them."""
    return render.abp(await call.services.abps.get(call.tenant, call.path["abp_id"]))


async def invoke(call: Call, body: InvokeBody) -> answers.InvokeResult:
    """Judge a payload, and answer it if it may be answered."""
    abp_id = call.path["abp_id"]
    claim = call.claim(f"POST /abps/{abp_id}/invoke", body)
    with call.services.in_flight.enter(claim):
        found = await call.services.invocations.invoke(
            call.tenant, abp_id, body.payload, by=call.principal.user_id, claim=claim
        )
    return render.result(call.tenant, found)


async def list_invocations(call: Call, query: PageQuery) -> Page[answers.Invocation]:
    """Of one ABP, oldest first."""
    found = await call.services.invocations.page(
        call.tenant, call.path["abp_id"], limit=query.limit, offset=query.offset
    )
    rows = [render.invocation(call.tenant, each) for each in found.items]
    return render.listed(rows, query, found.total)


async def get_invocation(call: Call) -> answers.Invocation:
    """As it is now: a person may have decided since."""
    found = await call.services.invocations.get(
        call.tenant, call.path["abp_id"], call.path["invocation_id"]
    )
    return render.invocation(call.tenant, found)


async def list_approvals(call: Call, query: ApprovalsQuery) -> Page[answers.Approval]:
    """What waits for a person, and what was decided."""
    found = await call.services.approvals.page(
        call.tenant, limit=query.limit, offset=query.offset, state=query.state
    )
    return render.listed(map(render.approval, found.items), query, found.total)


# -- network runs ---------------------------------------------------------------------------------


async def invoke_network(call: Call, body: RunBody) -> answers.Queued:
    """Queue a run, whether ``async=true`` is said or not: its row tells when it is over."""
    slug = call.path["slug"]
    claim = call.claim(f"POST /networks/{slug}/invoke", body)
    with call.services.in_flight.enter(claim):
        run_id = await call.services.runs.start(
            call.tenant,
            slug,
            prompt_text=body.prompt_text,
            metadata=body.metadata,
            attachment_ids=body.attachment_ids,
            user_id=call.principal.user_id,
            once=claim,
        )
    return {
        "run_id": run_id,
        "run_url": f"{call.origin}/api/v2/pack-runs/{run_id}",
        "status": "queued",
        "slug": slug,
    }


async def list_runs(call: Call, query: PageQuery) -> Page[answers.Run]:
    """Of all networks, newest last."""
    found = await call.services.runs.page(call.tenant, limit=query.limit, offset=query.offset)
    return render.listed(map(render.run, found.items), query, found.total)


async def get_run(call: Call) -> answers.Run:
    """One run, as far as it has come."""
    return render.run(await call.services.runs.get(call.tenant, call.path["run_id"]))


# -- evidence -------------------------------------------------------------------------------------


async def invocation_evidence(call: Call, query: EvidenceQuery) -> answers.EvidenceExport:
    """Export every pack about an invocation."""
    made = await call.services.exports.of_invocation(
        call.tenant,
        call.path["abp_id"],
        call.path["invocation_id"],
        file_format=query.format,
        by=call.principal.user_id,
    )
    return await _exported(call, made)


async def evidence_package(call: Call, query: PackageQuery) -> answers.EvidenceExport:
    """Export every pack about an ABP since a time."""
    made = await call.services.exports.of_abp(
        call.tenant,
        call.path["abp_id"],
        since=ms_of(query.since, up=True),
        file_format=query.format,
        by=call.principal.user_id,
    )
    return await _exported(call, made)


async def _exported(call: Call, made: Export) -> answers.EvidenceExport:
    exports = call.services.exports
    if exports.delivery == "presigned":
        url = f"{call.origin}/api/v2{await exports.link(made)}"
    else:
        url = f"/api/v2/exports/{made.export_id}/content"
    return render.export(made, exports.delivery, url)


async def export_content(call: Call) -> Streamed:
    """An export, for a key of its tenant."""
    return await call.services.exports.content(call.tenant, call.path["export_id"])


async def linked_export(call: Call, query: LinkQuery) -> Streamed:
    """An export, for whoever has its link."""
    return await call.services.exports.linked(
        call.path["export_id"], expires=query.expires, signature=query.signature
    )


# -- audit and usage ------------------------------------------------------------------------------


async def audit_log(call: Call, query: AuditQuery) -> Page[answers.Entry]:
    """Oldest first, which is the order of times and of sequences."""
    found = await call.services.audit.page(
        call.tenant, query.filter, limit=query.limit, offset=query.offset
    )
    return render.listed(map(render.entry, found.items), query, found.total)


async def usage_summary(call: Call, query: UsageQuery) -> answers.UsageSummary:
    """Counts, or on demand the packs themselves."""
    store = call.services.store
    answer = await store.read(usage.summary, call.tenant)
    if query.lists_packs:
        params = {
            "tenant": call.tenant,
            "limit": query.evidence_limit or DEFAULT_LIMIT,
            "offset": query.evidence_offset or 0,
        }
        answer["evidence_packs"] = await store.read(usage.packs, params)
    return answer


# -- routes ---------------------------------------------------------------------------------------


@attrs.frozen
class Operation:
    """An endpoint, and the scope that its caller needs; None where no key is needed."""

    scope: str | None
    endpoint: Endpoint[Call]


def operation(scope: str | None, handler: Handler) -> Operation:
    """An endpoint by the function that answers it."""
    return Operation(scope, endpoint(handler, rename=str))


V2: Final[Routes[Operation]] = Routes(
    {
        "POST /api-keys": operation(ADMIN, create_key),
        "GET /api-keys": operation(ADMIN, list_keys),
        "DELETE /api-keys/{id}": operation(ADMIN, revoke_key),
        "GET /abps": operation(RUNS_READ, list_abps),
        "GET /abps/{abp_id}": operation(RUNS_READ, get_abp),
        "POST /abps/{abp_id}/invoke": operation(RUNS_WRITE, invoke),
        "GET /abps/{abp_id}/invocations": operation(RUNS_READ, list_invocations),
        "GET /abps/{abp_id}/invocations/{invocation_id}": operation(RUNS_READ, get_invocation),
        "GET /approvals": operation(RUNS_READ, list_approvals),
        "GET /audit-log": operation(AUDIT_READ, audit_log),
        "GET /usage/summary": operation(RUNS_READ, usage_summary),
        "GET /abps/{abp_id}/invocations/{invocation_id}/evidence": operation(
            EVIDENCE_READ, invocation_evidence
        ),
        "GET /abps/{abp_id}/evidence-package": operation(EVIDENCE_READ, evidence_package),
        "GET /exports/{export_id}/content": operation(EVIDENCE_READ, export_content),
        # its link is its key
        "GET /exports/{export_id}/download": operation(None, linked_export),
        "GET /pack-runs": operation(RUNS_READ, list_runs),
        "GET /pack-runs/{run_id}": operation(RUNS_READ, get_run),
    }
)
"""Below ``/api/v2``."""

AGENTICX: Final[Routes[Operation]] = Routes(
    {"POST /networks/{slug}/invoke": operation(RUNS_WRITE, invoke_network)}
)
"""Below ``/api/agenticx``: how a network is invoked."""
