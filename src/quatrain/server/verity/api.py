"""The ledger over HTTP: the way to an endpoint, who may go there, and the error envelope.

Errors are ``{"code", "message", "requestId"}``, with ``errors`` where content did not fit and
``holder`` where another agent has the lease.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from quatrain.server.asgi import REQUEST_ID, Receive, Scope, Send, header, send_json
from quatrain.server.keys import KeyRing, Principal
from quatrain.server.ledger import (
    EffectNotFoundError,
    LeaseExpiredError,
    LeaseHeldError,
    Ledger,
    NotResettableError,
    RefusedError,
    StaleFenceError,
)
from quatrain.server.problems import (
    Fault,
    ProblemError,
    method_not_allowed,
    not_found,
    validation_failed,
)
from quatrain.server.store import StoreUnavailableError
from quatrain.server.times import iso_time

from .endpoints import OF_ALL, OF_NAMESPACE, Call, Operation
from .schema import MAX_NAMESPACE

_STATUS_OF: Final[dict[type[RefusedError], int]] = {
    EffectNotFoundError: 404,
    LeaseHeldError: 409,
    StaleFenceError: 409,
    NotResettableError: 409,
    LeaseExpiredError: 410,
}
_ALL: Final = "/effects"


class VerityAPI:
    """The ASGI app that is mounted at ``/v1``."""

    def __init__(self, ledger: Ledger, keys: KeyRing) -> None:
        self._ledger = ledger
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing of it gets out but what the middleware must see."""
        try:
            operation, namespace = _route(scope)
            principal = await self._admit(scope, operation)
            call = Call(self._ledger, principal, namespace)
            content = await operation.endpoint.call(call, scope["query_string"], receive)
        except ProblemError as problem:
            await _refuse(scope, send, problem)
        except RefusedError as refusal:
            await _refuse(scope, send, _of_refusal(refusal))
        except StoreUnavailableError as exc:
            text = f"the ledger can't be used now: {exc}"
            headers = {"retry-after": "1"}
            await _refuse(scope, send, ProblemError(503, "unavailable", text, headers=headers))
        else:
            await send_json(send, 200, content)

    async def _admit(self, scope: Scope, operation: Operation) -> Principal:
        scheme, _, key = (header(scope, b"authorization") or b"").partition(b" ")
        principal = None
        if scheme.lower() == b"bearer":
            principal = await self._keys.authenticate(key.strip())
        if principal is None:
            # one answer for a missing, a malformed, an unknown and a revoked key
            raise ProblemError(
                401,
                "unauthenticated",
                "a valid API key is needed: Authorization: Bearer vt_…",
                headers={"www-authenticate": "Bearer"},
            )
        if operation.scope not in principal.scopes:
            raise ProblemError(403, "forbidden", f"this key lacks the scope {operation.scope}")
        return principal


def _route(scope: Scope) -> tuple[Operation, str]:
    """The operation and the namespace, which may hold anything, slashes included."""
    path = _path(scope)
    head, _, verb = path.rpartition("/")
    operation = OF_NAMESPACE.get(verb) if head.startswith(f"{_ALL}/") else None
    if operation is None:
        if path != _ALL:
            raise not_found()
        operation, namespace = OF_ALL, ""
    else:
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


def _of_refusal(refusal: RefusedError) -> ProblemError:
    extra: dict[str, Any] = {}
    if isinstance(refusal, LeaseHeldError):
        extra["holder"] = {
            "agentId": refusal.agent_id,
            "fenceToken": refusal.fence_token,
            "leaseExpiresAt": iso_time(refusal.lease_expires_at),
        }
    return ProblemError(_STATUS_OF[type(refusal)], refusal.code, str(refusal), extra=extra)


async def _refuse(scope: Scope, send: Send, problem: ProblemError) -> None:
    envelope: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "requestId": scope[REQUEST_ID],
    }
    if problem.errors:
        envelope["errors"] = [
            {"loc": list(fault.loc), "msg": fault.msg, "type": fault.type}
            for fault in problem.errors
        ]
    content = {**envelope, **problem.extra}
    await send_json(send, problem.status, content, problem.raw_headers)
