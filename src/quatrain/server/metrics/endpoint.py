"""``/metrics``: for a key with the scope ``metrics:read``, or for everybody if that is wanted.

It tells of all tenants, so a tenant's key does not open it. That it is asked from the loopback is
no reason to answer: behind a proxy everybody is.
"""

from __future__ import annotations

from typing import Final

from quatrain._version import __version__
from quatrain.server.api import bearer, forbidden, unauthenticated
from quatrain.server.asgi import Receive, Send
from quatrain.server.asgi import Scope as Request
from quatrain.server.keys import KeyRing, Scope
from quatrain.server.problems import ProblemError, method_not_allowed
from quatrain.server.store import Store, StoreUnavailableError

from .gauges import LedgerGauges
from .platform import PlatformMetrics
from .registry import CONTENT_TYPE, Family, Sample, exposition

_BUILD: Final = Family(
    "quatrain_build_info",
    "gauge",
    "Which version this is.",
    ("version",),
    [Sample((__version__,), 1)],
)


class MetricsEndpoint:
    """Answers GET."""

    def __init__(
        self, metrics: PlatformMetrics, store: Store, keys: KeyRing, *, public: bool
    ) -> None:
        self._metrics = metrics
        self._gauges = LedgerGauges(store)
        self._keys = keys
        self._public = public

    async def __call__(self, scope: Request, _receive: Receive, send: Send) -> None:
        """Raises ProblemError for who may not ask."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise method_not_allowed("GET")
        if not self._public:
            await self._admit(scope)
        up = 1
        found = [_BUILD, *self._metrics.families()]
        try:
            found += await self._gauges.families()
        except StoreUnavailableError:
            up = 0  # what was counted is told all the same: now it is needed
        told = "Whether the database could be read."
        found.append(Family("quatrain_store_up", "gauge", told, (), [Sample((), up)]))
        body = exposition(found)
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _admit(self, scope: Request) -> None:
        key = bearer(scope)
        try:
            principal = None if key is None else await self._keys.authenticate(key)
        except StoreUnavailableError as exc:
            text = f"the platform's database can't be used now: {exc}"
            raise ProblemError(503, "unavailable", text) from exc
        if principal is None:
            raise unauthenticated("vt")
        if Scope.METRICS not in principal.scopes:
            raise forbidden(Scope.METRICS)
