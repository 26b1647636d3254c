"""A request to Velerian that has been let in, and what it may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import attrs

from quatrain.server.idempotency import InFlight, Once, fingerprint
from quatrain.server.store import Store

from .abps import Abps
from .approvals import Approvals
from .audit import AuditLog
from .exports import Delivery, Exports
from .invocations import Invocations
from .keys import Principal, VelerianKeys
from .networks import Networks
from .rate import RateLimit
from .runner import Runner
from .runs import Runs


@attrs.frozen
class Services:
    """What Velerian's local half is made of."""

    store: Store
    keys: VelerianKeys
    abps: Abps
    invocations: Invocations
    approvals: Approvals
    audit: AuditLog
    exports: Exports
    networks: Networks
    runs: Runs
    rate_limit: RateLimit
    in_flight: InFlight

    @classmethod
    def of(
        cls,
        store: Store,
        *,
        runner: Runner,
        rate_per_minute: int,
        delivery: Delivery = "presigned",
        wake: Callable[[], None] = lambda: None,
    ) -> Self:
        """Over a store. *rate_per_minute* is how many requests a key may make.

        *wake* tells whoever executes runs that there is one.
        """
        return cls(
            store,
            VelerianKeys(store),
            Abps(store),
            Invocations(store, runner),
            Approvals(store, runner),
            AuditLog(store),
            Exports(store, delivery=delivery),
            Networks(store),
            Runs(store, wake=wake),
            RateLimit(rate_per_minute),
            InFlight(),
        )


@attrs.frozen
class Call:
    """A request that has been let in."""

    services: Services
    principal: Principal
    path: dict[str, str]
    """The names that stand in its path."""
    key: str | None
    """Its ``Idempotency-Key``."""
    origin: str
    """Where it came to: ``http://127.0.0.1:8787``."""

    @property
    def tenant(self) -> str:
        """Whose data."""
        return self.principal.tenant

    def claim(self, operation: str, body: Any) -> Once | None:
        """The request's claim to run once; None when it makes none."""
        if self.key is None:
            return None
        caller = f"velerian:{self.principal.key_id}:{self.tenant}"
        return Once(caller, self.key, fingerprint(operation, body))
