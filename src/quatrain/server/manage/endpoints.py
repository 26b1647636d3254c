"""The management API's endpoints, by method and path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from quatrain.server.endpoint import Endpoint, endpoint
from quatrain.server.routes import Routes

from . import hooks, velocity
from .call import Call


def _at(handler: Callable[..., Awaitable[Any]]) -> Endpoint[Call]:
    return endpoint(handler, rename=str)


ROUTES: Final[Routes[Endpoint[Call]]] = Routes(
    {
        "GET /velocity/account": _at(velocity.get_account),
        "POST /velocity/seed": _at(velocity.seed),
        "POST /velocity/subscription": _at(velocity.set_tier),
        "GET /velocity/extensions": _at(velocity.list_extensions),
        "GET /velocity/installs": _at(velocity.list_installs),
        "POST /velocity/installs": _at(velocity.add_install),
        "POST /velocity/installs/{install_id}/revoke": _at(velocity.revoke_install),
        "GET /velocity/tasks": _at(velocity.list_tasks),
        "POST /velocity/tasks": _at(velocity.add_task),
        "POST /velocity/tasks/{task_id}": _at(velocity.change_task),
        "POST /velocity/tasks/{task_id}/complete": _at(velocity.complete_task),
        "GET /velocity/team": _at(velocity.list_team),
        "POST /velocity/team": _at(velocity.add_member),
        "GET /velocity/modules": _at(velocity.list_modules),
        "POST /velocity/modules/{code}": _at(velocity.complete_module),
        "GET /webhooks": _at(hooks.list_endpoints),
        "POST /webhooks": _at(hooks.add_endpoint),
        "POST /webhooks/trigger": _at(hooks.trigger),
        "GET /webhooks/deliveries": _at(hooks.list_deliveries),
        "POST /webhooks/{endpoint_id}/remove": _at(hooks.remove_endpoint),
        "POST /webhooks/deliveries/{delivery_id}/resend": _at(hooks.resend),
    }
)
"""``/manage/v1``."""
