"""The ledger over HTTP: the way to an endpoint, who may go there, and the error envelope.

Errors are ``{"code", "message", "requestId"}``, with ``errors`` where content did not fit and
``holder`` where another agent has the lease.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from quatrain.server.api import PlatformAPI, bearer, forbidden, unauthenticated
from quatrain.server.asgi import ROUTE, Receive, Scope
from quatrain.server.keys import KeyRing, Principal
from quatrain.server.ledger import (
    EffectNotFoundError,
    LeaseExpiredError,
    LeaseHeldError,
    Ledger,
    NotResettableError,
    StaleFenceError,
)
from quatrain.server.problems import (
    Fault,
    ProblemError,
    RefusedError,
    method_not_allowed,
    not_found,
    validation_failed,
)
from quatrain.server.times import iso_time

from .endpoints import OF_ALL, OF_NAMESPACE, OF_TRAIL, Call, Operation
from .schema import MAX_NAMESPACE

_STATUS_OF: Final[dict[type[RefusedError], int]] = {
    EffectNotFoundError: 404,
    LeaseHeldError: 409,
    StaleFenceError: 409,
    NotResettableError: 409,
    LeaseExpiredError: 410,
}
_ALL: Final = "/effects"
_TRAIL: Final = "/trail"


class VerityAPI(PlatformAPI):
    """The ASGI app that is mounted at ``/v1``."""

    def __init__(self, ledger: Ledger, keys: KeyRing) -> None:
        self._ledger = ledger
        self._keys = keys

    async def answer(self, scope: Scope, receive: Receive) -> Any:
        """What the endpoint answers."""
        operation, namespace = _route(scope)
        principal = await self._admit(scope, operation)
        call = Call(self._ledger, principal, namespace)
        return await operation.endpoint.call(call, scope["query_string"], receive)

    async def _admit(self, scope: Scope, operation: Operation) -> Principal:
        key = bearer(scope)
        principal = None if key is None else await self._keys.authenticate(key)
        if principal is None:
            raise unauthenticated("vt")
        if operation.scope not in principal.scopes:
            raise forbidden(operation.scope)
        return principal

    def of_refusal(self, refusal: RefusedError) -> ProblemError:
        """Who holds a lease is told to who wanted it."""
        extra: dict[str, Any] = {}
        if isinstance(refusal, LeaseHeldError):
            extra["holder"] = {
                "agentId": refusal.agent_id,
                "fenceToken": refusal.fence_token,
                "leaseExpiresAt": iso_time(refusal.lease_expires_at),
            }
        return ProblemError(_STATUS_OF[type(refusal)], refusal.code, str(refusal), extra=extra)

    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """``{"code", "message", "requestId"}`` and what else there is to say."""
        envelope: dict[str, Any] = {
            "code": problem.code,
            "message": problem.message,
            "requestId": request_id,
        }
        if problem.errors:
            envelope["errors"] = [fault.as_json() for fault in problem.errors]
        return {**envelope, **problem.extra}


def _route(scope: Scope) -> tuple[Operation, str]:
    """The operation and the namespace, which may hold anything, slashes included."""
    path = _path(scope)
    head, _, verb = path.rpartition("/")
    operation = OF_NAMESPACE.get(verb) if head.startswith(f"{_ALL}/") else None
    if operation is None:
        if path not in {_ALL, _TRAIL}:
            raise not_found()
        operation, namespace = (OF_ALL if path == _ALL else OF_TRAIL), ""
        scope[ROUTE] = path
    else:
        scope[ROUTE] = f"{_ALL}/{{namespace}}/{verb}"
        namespace = head[len(_ALL) + 1 :]
        if not 1 <= len(namespace) <= MAX_NAMESPACE:
            text = f"must have 1 to {MAX_NAMESPACE:,} characters"
            raise validation_failed([Fault(("path", "namespace"), text, "value")])
    if scope["method"] != operation.method:
        raise method_not_allowed(operation.method)
    return operation, namespace


def _path(scope: Scope) -> str:
    """The decoded path below the mount."""
    raw = scope.get("raw_path")
    if raw and b"%" in raw:
        # servers decode with replacement characters: two namespaces could become one
        try:
            unquote_to_bytes(raw).decode("utf-8")
        except UnicodeDecodeError:
            raise ProblemError(400, "not_utf8", "the path is not UTF-8") from None
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
