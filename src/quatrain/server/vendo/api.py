"""Vendo over HTTP: who may ask for what, and how errors are told.

Errors are ``{"error": {"code", "message", …}}``, with the code in the header ``Vendo-Error-Code``
too; where content did not fit, the error has ``details``. Source: contracts, Vendo, "Errors".
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.errors import InputError
from quatrain.server.api import PlatformAPI, bearer
from quatrain.server.asgi import Receive, Scope, header
from quatrain.server.idempotency import KeyReusedError, key_of
from quatrain.server.problems import Fault, ProblemError, RefusedError, validation_failed
from quatrain.server.routes import Routes

from .call import Call, Services, connect_page
from .endpoints import Operation
from .keys import APP_PREFIX
from .records import (
    AppUnknownError,
    Caller,
    ForbiddenError,
    UserTokenInvalidError,
    VendoRefusedError,
)

_USER: Final = b"x-vendo-user-jwt"
_IN_THE_BODY: Final = ("slug", "connect_url", "suggested_fix")


class VendoAPI(PlatformAPI):
    """The ASGI app of some routes; one is mounted for each of the hosts that Vendo has."""

    def __init__(self, services: Services, routes: Routes[Operation]) -> None:
        self.services = services
        self._routes = routes

    async def answer(self, scope: Scope, receive: Receive) -> Any:
        """What the endpoint answers."""
        operation, path = self._routes.find(scope)
        try:
            caller = await self._admit(scope, operation)
            key = None if scope["method"] == "GET" else key_of(scope)
            last_event_id = header(scope, b"last-event-id")
            call = Call(
                self.services,
                caller,
                path,
                key,
                _origin(scope),
                last_event_id,
                lambda: self._admit(scope, operation),
            )
            content = await operation.endpoint.call(call, scope["query_string"], receive)
        except InputError as exc:
            raise validation_failed([Fault(("body",), str(exc), "value")]) from exc
        except VendoRefusedError as refusal:
            problem = self.of_refusal(refusal)
            if refusal.mended_by_connecting and refusal.slug is not None:
                problem.extra["connect_url"] = connect_page(_origin(scope), refusal.slug)
            raise problem from refusal
        if scope["method"] != "GET":
            self.services.wake()
        return content

    async def _admit(self, scope: Scope, operation: Operation) -> Caller:
        key = bearer(scope)
        if key is None:
            raise AppUnknownError(
                f"an API key is needed: Authorization: Bearer {APP_PREFIX}…",
                suggested_fix="set VENDO_API_KEY to a key of this platform",
            )
        caller = await self.services.keys.authenticate(key)
        if caller.connection_id is not None:
            if not operation.takes_connection_keys:
                raise ForbiddenError("this key opens one connection, and nothing else")
            return caller  # whoever the user is: it opens that one
        if any(name == _USER for name, _ in scope["headers"]):
            token = header(scope, _USER)
            if token is None:
                raise UserTokenInvalidError("X-Vendo-User-JWT is given more than once")
            user_id = await self.services.users.user_of(token, caller.tenant)
            return attrs.evolve(caller, user_id=user_id)
        return caller

    def of_refusal(self, refusal: RefusedError) -> ProblemError:
        """With the status of its kind."""
        if isinstance(refusal, KeyReusedError):
            return ProblemError(409, "idempotency_conflict", str(refusal))
        assert isinstance(refusal, VendoRefusedError)  # noqa: S101  there are no others here
        headers = {}
        if refusal.status == 401:
            headers["www-authenticate"] = "Bearer"
        if refusal.retry_after is not None:
            headers["retry-after"] = str(refusal.retry_after)
        extra = {"slug": refusal.slug, "suggested_fix": refusal.suggested_fix}
        return ProblemError(
            refusal.status, refusal.code, str(refusal), extra=extra, headers=headers
        )

    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """``{"error"}``; the request's id is in a header."""
        del request_id
        error: dict[str, Any] = {"code": problem.code, "message": problem.message}
        error |= {
            name: value for name in _IN_THE_BODY if (value := problem.extra.get(name)) is not None
        }
        seconds = problem.headers.get("retry-after", "")
        if seconds.isdecimal():
            error["retry_after"] = int(seconds)
        if problem.errors:
            error["details"] = [fault.as_json() for fault in problem.errors]
        return {"error": error}

    def headers_of(self, problem: ProblemError) -> list[tuple[bytes, bytes]]:
        """With the code, which clients read before the body's."""
        return [(b"vendo-error-code", problem.code.encode("ascii")), *problem.raw_headers]


def _origin(scope: Scope) -> str:
    # the middleware has checked that there is one Host, and that it is one of ours
    host = header(scope, b"host") or b"localhost"
    return f"{scope.get('scheme', 'http')}://{host.decode('latin-1')}"
