"""The management API's endpoints, by method and path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from quatrain.server.endpoint import Endpoint, endpoint
from quatrain.server.routes import Routes

from . import hooks, velocity
from .call import Call

_Handler = Callable[..., Awaitable[Any]]


def _reads(handler: _Handler) -> Endpoint[Call]:
    return endpoint(handler, rename=str)


def _writes(handler: _Handler) -> Endpoint[Call]:
    """Whoever writes may have put something into the outbox, and does not wait for its sending."""
    made = endpoint(handler, rename=str)

    async def write(call: Call, **content: Any) -> Any:
        answer = await handler(call, **content)
        call.services.wake()
        return answer

    return attrs.evolve(made, handler=write)


ROUTES: Final[Routes[Endpoint[Call]]] = Routes(
    {
        "GET /velocity/account": _reads(velocity.get_account),
        "POST /velocity/seed": _writes(velocity.seed),
        "POST /velocity/subscription": _writes(velocity.set_tier),
        "GET /velocity/extensions": _reads(velocity.list_extensions),
        "GET /velocity/installs": _reads(velocity.list_installs),
        "POST /velocity/installs": _writes(velocity.add_install),
        "POST /velocity/installs/{install_id}/revoke": _writes(velocity.revoke_install),
        "GET /velocity/tasks": _reads(velocity.list_tasks),
        "POST /velocity/tasks": _writes(velocity.add_task),
        "POST /velocity/tasks/{task_id}": _writes(velocity.change_task),
        "POST /velocity/tasks/{task_id}/complete": _writes(velocity.complete_task),
        "GET /velocity/team": _reads(velocity.list_team),
        "POST /velocity/team": _writes(velocity.add_member),
        "GET /velocity/modules": _reads(velocity.list_modules),
        "POST /velocity/modules/{code}": _writes(velocity.complete_module),
        "GET /webhooks": _reads(hooks.list_endpoints),
        "POST /webhooks": _writes(hooks.add_endpoint),
        "POST /webhooks/trigger": _writes(hooks.trigger),
        "GET /webhooks/deliveries": _reads(hooks.list_deliveries),
        "POST /webhooks/{endpoint_id}/remove": _writes(hooks.remove_endpoint),
        "POST /webhooks/deliveries/{delivery_id}/resend": _writes(hooks.resend),
    }
)
"""``/manage/v1``."""
