"""The management API over HTTP: who may go there, and the error envelope.

Errors are ``{"code", "message", "request_id"}``, with ``errors`` where content did not fit.
"""

from __future__ import annotations

from typing import Any, Final

from quatrain.errors import InputError
from quatrain.server.api import PlatformAPI, bearer, forbidden, unauthenticated
from quatrain.server.asgi import Receive
from quatrain.server.asgi import Scope as Request
from quatrain.server.keys import KeyRing, Principal, Scope
from quatrain.server.problems import ProblemError, RefusedError
from quatrain.server.velerian.records import VelerianRefusedError
from quatrain.server.vendo.records import VendoRefusedError

from .call import Call, Services
from .endpoints import ROUTES

_STATUS_OF: Final = {
    "not_found": 404,
    "effect_not_found": 404,
    "not_resolvable": 409,
    "lease_not_held": 409,
    "effect_changed": 409,
    "endpoint_not_found": 404,
    "delivery_not_found": 404,
    "endpoint_removed": 409,
    "task_completed": 409,
}


class ManageAPI(PlatformAPI):
    """The ASGI app that is mounted at ``/manage/v1``."""

    def __init__(self, services: Services, keys: KeyRing) -> None:
        self._services = services
        self._keys = keys

    async def answer(self, scope: Request, receive: Receive) -> Any:
        """What the endpoint answers, about the account of the key's tenant."""
        operation, names = ROUTES.find(scope)
        principal = await self._admit(scope)
        business = self._services.business
        account = await business.account_of(principal.tenant)
        if account is None:
            account = await business.ensure_account(principal.tenant)
        call = Call(self._services, account, principal, names)
        try:
            content = await operation.call(call, scope["query_string"], receive)
        except InputError as exc:
            raise ProblemError(422, "validation_failed", str(exc)) from exc
        if scope["method"] == "POST":  # the outbox may have something new
            self._services.wake()
        return content

    async def _admit(self, scope: Request) -> Principal:
        key = bearer(scope)
        principal = None if key is None else await self._keys.authenticate(key)
        if principal is None:
            raise unauthenticated("vt")
        if Scope.MANAGE not in principal.scopes:
            raise forbidden(Scope.MANAGE)
        return principal

    def of_refusal(self, refusal: RefusedError) -> ProblemError:
        """What there is not, and what can't be any more."""
        if isinstance(refusal, VelerianRefusedError | VendoRefusedError):
            return ProblemError(refusal.status, refusal.code, str(refusal))
        return ProblemError(_STATUS_OF[refusal.code], refusal.code, str(refusal))

    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """``{"code", "message", "request_id"}`` and what was wrong with the content."""
        envelope: dict[str, Any] = {
            "code": problem.code,
            "message": problem.message,
            "request_id": request_id,
        }
        if problem.errors:
            envelope["errors"] = [fault.as_json() for fault in problem.errors]
        return envelope
