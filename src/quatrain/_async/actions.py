"""Actions on the data behind connections. Source: contracts, Vendo, "data.execute"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import _vendo as vendo
from ..errors.vendo import PROXY_FAMILY
from .hosts import AsyncVendoAPI
from .transport import Call
from .writes import write_once

if TYPE_CHECKING:
    from .verity import AsyncVerityClient


class AsyncDataAPI:
    """``client.data``."""

    def __init__(self, api: AsyncVendoAPI) -> None:
        self._api = api
        self.effects: Callable[[], AsyncVerityClient] | None = None
        """The ledger that protects writes, where an umbrella client holds both."""

    async def execute(
        self,
        action_id: str,
        args: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        effect_key: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> Any:
        """Have *action_id* done with *args*, and answer its data.

        It is sent under *idempotency_key*, made up unless given, the same with each retry. With an
        *effect_key* it is done once, whoever tries and however often; that needs an ``AsyncClient``
        that holds Verity as well.

        Raises VendoOnlyFeature without an API key, NotConnected where the action's toolkit is not
        connected, BalanceExhausted and SpendCapExceeded, UpstreamError where the action failed, and
        IdempotencyConflict for a key that came with another request before.
        """
        hosts = self._api.require("data.execute")
        call = Call(
            name="vendo.execute",
            method="POST",
            path=("v1", "execute"),
            body={
                "action_id": vendo.filled("action_id", action_id),
                "args": dict(vendo.mapping("args", {} if args is None else args)),
            },
            headers=hosts.user,
            repeatable=True,
            timeout=timeout,
            max_retries=max_retries,
        )

        async def send(keyed: Call) -> Mapping[str, Any]:
            return {"data": await hosts.proxy.send(keyed, vendo.executed)}

        return await write_once(
            call,
            send,
            vendo.data_of,
            effects=self.effects,
            transport=hosts.proxy,
            family=PROXY_FAMILY,
            idempotency_key=idempotency_key,
            effect_key=effect_key,
        )
