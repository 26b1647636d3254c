"""The management API's endpoints, by method and path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from quatrain.server.endpoint import Endpoint, endpoint
from quatrain.server.routes import Routes

from . import effects, hooks, velerian, velocity, vendo, vendo_live
from .call import Call


def _at(handler: Callable[..., Awaitable[Any]]) -> Endpoint[Call]:
    return endpoint(handler, rename=str)


ROUTES: Final[Routes[Endpoint[Call]]] = Routes(
    {
        "GET /effects": _at(effects.list_of_key),
        "POST /effects/resolve": _at(effects.resolve),
        "POST /effects/release": _at(effects.release),
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
        "GET /velerian/keys": _at(velerian.list_keys),
        "POST /velerian/keys": _at(velerian.add_key),
        "POST /velerian/keys/{key_id}/revoke": _at(velerian.revoke_key),
        "GET /velerian/abps": _at(velerian.list_abps),
        "POST /velerian/abps": _at(velerian.add_abp),
        "POST /velerian/abps/{abp_id}/deploy": _at(velerian.deploy_abp),
        "POST /velerian/abps/{abp_id}/retire": _at(velerian.retire_abp),
        "GET /velerian/networks": _at(velerian.list_networks),
        "POST /velerian/networks": _at(velerian.add_network),
        "GET /velerian/approvals": _at(velerian.list_approvals),
        "POST /velerian/approvals/{approval_id}/approve": _at(velerian.approve),
        "POST /velerian/approvals/{approval_id}/reject": _at(velerian.reject),
        "GET /velerian/runs": _at(velerian.list_runs),
        "GET /velerian/runs/{run_id}": _at(velerian.get_run),
        "GET /vendo/apps": _at(vendo.list_apps),
        "POST /vendo/apps": _at(vendo.add_app),
        "GET /vendo/keys": _at(vendo.list_keys),
        "POST /vendo/keys": _at(vendo.add_key),
        "POST /vendo/keys/{key_id}/revoke": _at(vendo.revoke_key),
        "GET /vendo/connections": _at(vendo.list_connections),
        "POST /vendo/connections": _at(vendo.connect),
        "GET /vendo/connections/{connection_id}": _at(vendo.get_connection),
        "POST /vendo/connections/{connection_id}/disconnect": _at(vendo.disconnect),
        "POST /vendo/connections/{connection_id}/status": _at(vendo.set_status),
        "POST /vendo/connections/{connection_id}/metadata": _at(vendo.set_metadata),
        "POST /vendo/connections/{connection_id}/bind": _at(vendo.bind),
        "POST /vendo/connections/{connection_id}/unbind": _at(vendo.unbind),
        "POST /vendo/connections/{connection_id}/expire-token": _at(vendo.expire_token),
        "POST /vendo/connections/{connection_id}/revoke-grant": _at(vendo.revoke_grant),
        "POST /vendo/user-tokens": _at(vendo.add_user_token),
        "POST /vendo/reseal": _at(vendo.reseal),
        "POST /vendo/events": _at(vendo_live.publish),
        "GET /vendo/wallet": _at(vendo_live.get_wallet),
        "POST /vendo/wallet/top-up": _at(vendo_live.top_up),
        "POST /vendo/wallet/caps": _at(vendo_live.set_caps),
        "GET /webhooks": _at(hooks.list_endpoints),
        "POST /webhooks": _at(hooks.add_endpoint),
        "POST /webhooks/trigger": _at(hooks.trigger),
        "GET /webhooks/deliveries": _at(hooks.list_deliveries),
        "POST /webhooks/{endpoint_id}/remove": _at(hooks.remove_endpoint),
        "POST /webhooks/deliveries/{delivery_id}/resend": _at(hooks.resend),
    }
)
"""``/manage/v1``."""
