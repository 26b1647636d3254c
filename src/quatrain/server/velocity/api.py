"""Velocity OS over HTTP: who may ask for what, and the envelopes.

Errors are ``{"ok": false, "error": {"code", "message"}, "request_id"}``; where content did not fit,
the error has ``details``. Source: contracts, Velocity OS, "Envelope".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from quatrain.server.api import PlatformAPI, bearer
from quatrain.server.asgi import Receive, Scope
from quatrain.server.idempotency import InFlight, KeyReusedError, key_of
from quatrain.server.problems import ProblemError, RefusedError
from quatrain.server.store import Store

from . import render
from .endpoints import ROUTES, Call, Operation
from .installs import PREFIX, Caller, Installs
from .records import ModuleNotCompletedError, TaskCompletedError, TaskNotFoundError
from .sandbox import Sandbox
from .service import BusinessData

_STATUS_OF: Final[dict[type[RefusedError], int]] = {
    ModuleNotCompletedError: 404,
    TaskNotFoundError: 404,
    TaskCompletedError: 409,
    KeyReusedError: 422,
}


class VelocityAPI(PlatformAPI):
    """The ASGI app that is mounted at ``/api/v1/extensions``."""

    def __init__(
        self,
        store: Store,
        data: BusinessData,
        installs: Installs,
        *,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._data = data
        self._wake = wake
        self._sandbox = Sandbox(store)
        self._installs = installs
        self._in_flight = InFlight()

    async def answer(self, scope: Scope, receive: Receive) -> Any:
        """What the endpoint answers, in its envelope."""
        operation, path = ROUTES.find(scope)
        caller = await self._admit(scope, operation)
        call = Call(
            self._sandbox if caller.sandbox else self._data,
            caller,
            path,
            None if scope["method"] == "GET" else key_of(scope),
            self._in_flight,
        )
        data = await operation.endpoint.call(call, scope["query_string"], receive)
        if scope["method"] == "POST":  # the outbox may have something new
            self._wake()
        return render.envelope(caller, data)

    async def _admit(self, scope: Scope, operation: Operation) -> Caller:
        key = bearer(scope)
        caller = None if key is None else await self._installs.authenticate(key)
        if caller is None:
            # one answer for a missing, a malformed, an unknown and a revoked key
            raise ProblemError(
                401,
                "invalid_key",
                f"a valid extension key is needed: Authorization: Bearer {PREFIX}…",
                headers={"www-authenticate": "Bearer"},
            )
        if operation.scope is not None and operation.scope not in caller.scopes:
            text = f"Extension is missing required scope: {operation.scope}"
            raise ProblemError(403, "scope_required", text)
        return caller

    def of_refusal(self, refusal: RefusedError) -> ProblemError:
        """With the status of its kind."""
        return ProblemError(_STATUS_OF[type(refusal)], refusal.code, str(refusal))

    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """What every error comes in."""
        error: dict[str, Any] = {"code": problem.code, "message": problem.message}
        if problem.errors:
            error["details"] = [fault.as_json() for fault in problem.errors]
        return {"ok": False, "error": error, "request_id": request_id}
