"""Workflow → case → run: effects that belong together. Source: contracts, Verity, "Client".

The same effect in another run of the case has the same key: a new run picks up where the last
one stopped.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, Unpack, overload

from .._lease import EffectContext
from .._options import RunOptions
from .._runtime._async import Act

if TYPE_CHECKING:
    from .verity import AsyncVerityClient

T = TypeVar("T")


class AsyncWorkflowContext:
    """A workflow by name; ``case()`` goes on."""

    def __init__(self, client: AsyncVerityClient, workflow_name: str) -> None:
        self._client = client
        self.workflow_name = workflow_name

    def case(self, case_id: str) -> AsyncCaseContext:
        """One case of the workflow: an order, a ticket, a customer's request."""
        return AsyncCaseContext(self._client, self.workflow_name, case_id)


class AsyncCaseContext:
    """One case of a workflow; ``run()`` goes on."""

    def __init__(self, client: AsyncVerityClient, workflow_name: str, case_id: str) -> None:
        self._client = client
        self.workflow_name = workflow_name
        self.case_id = case_id

    def run(
        self,
        run_id: str | None = None,
        *,
        namespace: str | None = None,
        lease_duration_ms: int | None = None,
        agent_id: str | None = None,
    ) -> AsyncRunContext:
        """One attempt at the case. The namespace is the workflow's name unless given.

        *lease_duration_ms* is the default of the run's effects; *agent_id* names who runs it.
        """
        made_up = f"run_{time.time_ns() // 1_000_000}_{secrets.token_hex(4)}"
        return AsyncRunContext(
            self._client,
            self.workflow_name,
            self.case_id,
            run_id=run_id or made_up,
            namespace=namespace or self.workflow_name,
            lease_duration_ms=lease_duration_ms,
            agent_id=agent_id,
        )


class AsyncRunContext:
    """One run of a case; ``protect()`` runs its effects."""

    def __init__(
        self,
        client: AsyncVerityClient,
        workflow_name: str,
        case_id: str,
        *,
        run_id: str,
        namespace: str,
        lease_duration_ms: int | None,
        agent_id: str | None,
    ) -> None:
        self._client = client
        self.workflow_name = workflow_name
        self.case_id = case_id
        self.run_id = run_id
        self.namespace = namespace
        self._lease_duration_ms = lease_duration_ms
        self._agent_id = agent_id

    # async-only: begin
    @overload
    async def protect(
        self,
        effect_name: str,
        *,
        act: Callable[[], Awaitable[T]] | Callable[[EffectContext], Awaitable[T]],
        observe: Act[T | None] | None = None,
        **options: Unpack[RunOptions],
    ) -> T: ...
    @overload
    async def protect(
        self,
        effect_name: str,
        *,
        act: Callable[[], T] | Callable[[EffectContext], T],
        observe: Act[T | None] | None = None,
        **options: Unpack[RunOptions],
    ) -> T: ...
    # async-only: end
    async def protect(
        self,
        effect_name: str,
        *,
        act: Act[T],
        observe: Act[T | None] | None = None,
        **options: Unpack[RunOptions],
    ) -> T:
        """``client.protect`` under the key ``"{case_id}:{effect_name}[:{key_suffix}]"``.

        Sends the workflow, the case and the run along. *options* and errors are those of
        ``AsyncVerityClient.protect``; the effect's name and agent are the run's.
        """
        options["namespace"] = options.get("namespace") or self.namespace
        if options.get("lease_duration_ms") is None:
            options["lease_duration_ms"] = self._lease_duration_ms
        return await self._client.run_effect(
            f"{self.case_id}:{effect_name}",
            act=act,
            observe=observe,
            effect_name=effect_name,
            agent_id=self._agent_id,
            workflow=(self.workflow_name, self.case_id, self.run_id),
            **options,
        )
