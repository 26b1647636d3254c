# Generated from src/quatrain/_async/ledger.py by scripts/make_sync.py. Do not edit.
"""The effect ledger's endpoints, one method each. Source: contracts, Verity, "Endpoints"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from ..errors.verity import LeaseConflictError, VerityConflictError
from ..models.verity import (
    CommitRequestBody,
    CommitResponse,
    Effect,
    EffectEventPage,
    EffectPage,
    FailRequestBody,
    FailResponse,
    LeaseRequestBody,
    LeaseResponse,
    ObserveResponse,
    RenewRequestBody,
    RenewResponse,
    ReportObserveBody,
)
from .transport import Call, Lane, Transport

T = TypeVar("T")
Wire = Mapping[str, Any]


class Ledger:
    """Requests to the ledger. Bodies are the models, or mappings in the wire's camelCase."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def lease(self, namespace: str, body: LeaseRequestBody | Wire) -> tuple[LeaseResponse, float]:
        """Ask for the lease; the answer, and the clock's time before it was asked for.

        Raises LeaseConflictError when another agent holds it.
        """
        try:
            # a union is no class to the type checker; to the converter it is
            into = cast("type[LeaseResponse]", LeaseResponse)
            call = _call(namespace, "lease", body)
            return self.transport.send_timed(call, into)
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

    def commit(
        self, namespace: str, body: CommitRequestBody | Wire, *, max_retries: int | None = None
    ) -> CommitResponse:
        """Record the result; sent again after no answer, as its fence token makes it safe."""
        return self._post(
            namespace,
            "commit",
            body,
            CommitResponse,
            lane="commit",
            repeatable=True,
            max_retries=max_retries,
        )

    def fail(self, namespace: str, body: FailRequestBody | Wire) -> FailResponse:
        """Record the failure; sent again after no answer, like a commit."""
        return self._post(namespace, "fail", body, FailResponse, lane="commit", repeatable=True)

    def renew(
        self,
        namespace: str,
        body: RenewRequestBody | Wire,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> RenewResponse:
        """Hold the lease for longer. 409, 404, 410 and 403 mean that it is gone."""
        return self._post(
            namespace,
            "renew",
            body,
            RenewResponse,
            lane="renew",
            repeatable=True,
            timeout=timeout,
            max_retries=max_retries,
        )

    def report_observe(self, namespace: str, body: ReportObserveBody | Wire) -> ObserveResponse:
        """Leave a line in the audit trail; changes nothing."""
        return self._post(namespace, "report-observe", body, ObserveResponse)

    def effects(self, query: Mapping[str, str]) -> EffectPage:
        """A page of effects, newest first."""
        return self._get(("effects",), query, EffectPage)

    def effect(self, namespace: str, effect_key: str) -> Effect:
        """One effect with its payloads."""
        return self._get(("effects", namespace, "effect"), {"effectKey": effect_key}, Effect)

    def events(self, namespace: str, query: Mapping[str, str]) -> EffectEventPage:
        """A page of one effect's audit trail, oldest first."""
        return self._get(("effects", namespace, "events"), query, EffectEventPage)

    def reset(self, namespace: str, effect_key: str, reason: str) -> Effect:
        """Let a failed or expired effect run again."""
        return self._post(namespace, "reset", {"effectKey": effect_key, "reason": reason}, Effect)

    def _post(
        self,
        namespace: str,
        verb: str,
        body: Any,
        into: type[T],
        **options: Any,
    ) -> T:
        return self.transport.send(_call(namespace, verb, body, **options), into)

    def _get(self, path: tuple[str, ...], query: Mapping[str, str], into: type[T]) -> T:
        call = Call(
            name=f"verity.{path[-1]}", method="GET", path=path, query=query, repeatable=True
        )
        return self.transport.send(call, into)


def _effect_key(body: LeaseRequestBody | Wire) -> str:
    return str(body.get("effectKey", "")) if isinstance(body, Mapping) else body.effect_key


def _call(
    namespace: str,
    verb: str,
    body: Any,
    *,
    lane: Lane = "main",
    repeatable: bool = False,
    timeout: float | None = None,
    max_retries: int | None = None,
) -> Call:
    return Call(
        name=f"verity.{verb}",
        method="POST",
        path=("effects", namespace, verb),
        body=body,
        lane=lane,
        repeatable=repeatable,
        timeout=timeout,
        max_retries=max_retries,
    )
