"""What is noted of each answer: in the metrics, and in the log."""

from __future__ import annotations

from typing import Final

from .asgi import REQUEST_ID, ROUTE, Scope
from .logs import log_answer
from .metrics import PlatformMetrics

_ALONE: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Watcher:
    """Is told of each answer that begins."""

    def __init__(self, metrics: PlatformMetrics) -> None:
        self._metrics = metrics

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """Note it."""
        method, route = method_of(scope), route_of(scope)
        self._metrics.on_answer(method, route, status, seconds)
        log_answer(scope[REQUEST_ID], method, route, status, seconds)


def route_of(scope: Scope) -> str:
    """Which of our routes a request was for: one of a few, whatever was asked for.

    ``/v1/effects/{namespace}/lease``. Paths and queries themselves hold names, and may hold links
    that open without a key.
    """
    route: str | None = scope.get(ROUTE)
    mount: str = scope.get("root_path", "")
    if route is not None:
        return f"{mount}{route}"
    if mount:
        return f"{mount}/…"
    path: str = scope["path"]
    return path if path in _ALONE else "…"


def method_of(scope: Scope) -> str:
    """The method, if it is one of HTTP's."""
    method: str = scope["method"]
    return method if method in _METHODS else "…"
