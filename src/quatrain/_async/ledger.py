"""The effect ledger's endpoints, one method each. Source: contracts, Verity, "Endpoints"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, Unpack, cast

from .._options import CallOptions
from .._structure import CAMEL_CASE
from ..errors.verity import LeaseConflictError, VerityConflictError
from ..models.verity import (
    CommitRequestBody,
    CommitResponse,
    Effect,
    EffectEventPage,
    EffectPage,
    EffectTrailPage,
    FailRequestBody,
    FailResponse,
    LeaseRequestBody,
    LeaseResponse,
    ObserveResponse,
    RenewRequestBody,
    RenewResponse,
    ReportObserveBody,
)
from .transport import AsyncTransport, Call, Lane

T = TypeVar("T")
Wire = Mapping[str, Any]


class AsyncLedger:
    """Requests to the ledger. Bodies are the models, or mappings in the wire's camelCase."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.transport = transport

    async def lease(
        self, namespace: str, body: LeaseRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> tuple[LeaseResponse, float]:
        """Ask for the lease; the answer, and the clock's time before it was asked for.

        Raises LeaseConflictError when another agent holds it.
        """
        try:
            # a union is no class to the type checker; to the converter it is
            reads = CAMEL_CASE.reads(cast("type[LeaseResponse]", LeaseResponse))
            return await self.transport.send_timed(_post(namespace, "lease", body, options), reads)
        except VerityConflictError as exc:
            raise LeaseConflictError(
                _effect_key(body),
                exc.body,
                exc.request_id,
                code=exc.code,
                detail=exc.detail,
                retry_after=exc.retry_after,
                attempts=exc.attempts,
            ) from None

    async def commit(
        self, namespace: str, body: CommitRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> CommitResponse:
        """Record the result; sent again after no answer, as its fence token makes it safe."""
        call = _post(namespace, "commit", body, options, lane="commit", repeatable=True)
        return await self.transport.send(call, CAMEL_CASE.reads(CommitResponse))

    async def fail(
        self, namespace: str, body: FailRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> FailResponse:
        """Record the failure; sent again after no answer, like a commit."""
        call = _post(namespace, "fail", body, options, lane="commit", repeatable=True)
        return await self.transport.send(call, CAMEL_CASE.reads(FailResponse))

    async def renew(
        self, namespace: str, body: RenewRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> RenewResponse:
        """Hold the lease for longer. 409, 404, 410 and 403 mean that it is gone."""
        call = _post(namespace, "renew", body, options, lane="renew", repeatable=True)
        return await self.transport.send(call, CAMEL_CASE.reads(RenewResponse))

    async def report_observe(
        self, namespace: str, body: ReportObserveBody | Wire, **options: Unpack[CallOptions]
    ) -> ObserveResponse:
        """Leave a line in the audit trail; changes nothing."""
        call = _post(namespace, "report-observe", body, options)
        return await self.transport.send(call, CAMEL_CASE.reads(ObserveResponse))

    async def effects(self, query: Mapping[str, str]) -> EffectPage:
        """A page of effects, newest first."""
        return await self._get(("effects",), query, EffectPage)

    async def effect(self, namespace: str, effect_key: str) -> Effect:
        """One effect with its payloads."""
        return await self._get(("effects", namespace, "effect"), {"effectKey": effect_key}, Effect)

    async def events(self, namespace: str, query: Mapping[str, str]) -> EffectEventPage:
        """A page of one effect's audit trail, oldest first."""
        return await self._get(("effects", namespace, "events"), query, EffectEventPage)

    async def trail(self, query: Mapping[str, str]) -> EffectTrailPage:
        """A page of the audit trails of all effects."""
        return await self._get(("trail",), query, EffectTrailPage)

    async def reset(self, namespace: str, effect_key: str, reason: str) -> Effect:
        """Let a failed or expired effect run again."""
        call = _post(namespace, "reset", {"effectKey": effect_key, "reason": reason}, {})
        return await self.transport.send(call, CAMEL_CASE.reads(Effect))

    async def _get(self, path: tuple[str, ...], query: Mapping[str, str], into: type[T]) -> T:
        call = Call(
            name=f"verity.{path[-1]}", method="GET", path=path, query=query, repeatable=True
        )
        return await self.transport.send(call, CAMEL_CASE.reads(into))


def _effect_key(body: LeaseRequestBody | Wire) -> str:
    return str(body.get("effectKey", "")) if isinstance(body, Mapping) else body.effect_key


def _post(
    namespace: str,
    verb: str,
    body: Any,
    options: CallOptions,
    *,
    lane: Lane = "main",
    repeatable: bool = False,
) -> Call:
    return Call(
        name=f"verity.{verb}",
        method="POST",
        path=("effects", namespace, verb),
        body=body,
        lane=lane,
        repeatable=repeatable,
        **options,
    )
