"""Velerian over HTTP: who may ask for what, how often, and how errors are told.

Errors are ``{"detail": "…"}``; where content did not fit, ``detail`` is a list of
``{"loc", "msg", "type"}``. Source: contracts, Velerian, "Paths and errors".
"""

from __future__ import annotations

from typing import Any, Final

from quatrain.errors import InputError
from quatrain.server.api import PlatformAPI, bearer, forbidden, unauthenticated
from quatrain.server.asgi import Receive, Scope, header
from quatrain.server.idempotency import KeyReusedError, key_of
from quatrain.server.problems import Fault, ProblemError, RefusedError, validation_failed
from quatrain.server.routes import Routes

from .call import Call, Services
from .endpoints import Operation
from .keys import Principal
from .records import VelerianRefusedError

NOBODY: Final = Principal("", "", "", frozenset(), None)
"""Who asks where no key is needed: nobody's tenant, and no scopes."""


class VelerianAPI(PlatformAPI):
    """The ASGI app of some routes: one is mounted at ``/api/v2``, one at ``/api/agenticx``."""

    def __init__(self, services: Services, routes: Routes[Operation]) -> None:
        self._services = services
        self._routes = routes

    async def answer(self, scope: Scope, receive: Receive) -> Any:
        """What the endpoint answers."""
        operation, path = self._routes.find(scope)
        principal = await self._admit(scope, operation)
        key = key_of(scope) if scope["method"] == "POST" else None
        call = Call(self._services, principal, path, key, _origin(scope))
        try:
            return await operation.endpoint.call(call, scope["query_string"], receive)
        except InputError as exc:
            raise validation_failed([Fault(("body",), str(exc), "value")]) from exc

    async def _admit(self, scope: Scope, operation: Operation) -> Principal:
        if operation.scope is None:
            return NOBODY
        key = bearer(scope)
        principal = None if key is None else await self._services.keys.authenticate(key)
        if principal is None:
            raise unauthenticated("vk_live")
        self._limit(principal)
        if operation.scope not in principal.scopes:
            raise forbidden(operation.scope)
        return principal

    def _limit(self, principal: Principal) -> None:
        services = self._services
        whose = f"{principal.tenant}:{principal.key_id}"
        seconds = services.rate_limit.take(
            whose, services.store.now_ms(), principal.rate_per_minute
        )
        if seconds is not None:
            raise ProblemError(
                429,
                "rate_limited",
                f"this key has used up its requests; the next is free in {seconds} s",
                headers={"retry-after": str(seconds)},
            )

    def of_refusal(self, refusal: RefusedError) -> ProblemError:
        """With the status of its kind."""
        if isinstance(refusal, KeyReusedError):
            fault = Fault(("header", "Idempotency-Key"), str(refusal), "value")
            return validation_failed([fault])
        assert isinstance(refusal, VelerianRefusedError)  # noqa: S101  there are no others here
        return ProblemError(refusal.status, refusal.code, str(refusal))

    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """``{"detail"}``; the request's id is in a header."""
        del request_id
        if problem.errors:
            return {"detail": [fault.as_json() for fault in problem.errors]}
        return {"detail": problem.message}


def _origin(scope: Scope) -> str:
    # the middleware has checked that there is one Host, and that it is one of ours
    host = header(scope, b"host") or b"localhost"
    return f"{scope.get('scheme', 'http')}://{host.decode('latin-1')}"
