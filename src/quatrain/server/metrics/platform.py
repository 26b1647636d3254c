"""What is counted of a platform, since its process began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .registry import Counter, Family, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class PlatformMetrics:
    """Every process has its own; whoever has several adds them up."""

    def __init__(self) -> None:
        self.requests = Counter(
            "quatrain_http_requests_total",
            "Requests that were answered.",
            *("method", "route", "status"),
        )
        self.request_seconds = Histogram(
            "quatrain_http_request_seconds",
            "From a request's first byte to its answer's.",
            _SECONDS,
            "route",
        )
        self.operations = Counter(
            "quatrain_effect_operations_total",
            "What was asked of the effect ledger, and what came of it.",
            *("operation", "outcome"),
        )
        self.batch_size = Histogram(
            "quatrain_store_batch_size", "Changes that were written in one transaction.", _SIZES
        )
        self.batch_seconds = Histogram(
            "quatrain_store_batch_seconds", "What one transaction took.", _SECONDS
        )
        self.failed_changes = Counter(
            "quatrain_store_failed_changes_total", "Changes that the database did not take."
        )

    def on_batch(self, size: int, seconds: float, failed: bool) -> None:
        """A transaction has ended; called by the thread that writes."""
        self.batch_size.observe(size)
        self.batch_seconds.observe(seconds)
        if failed:
            self.failed_changes.add(by=size)

    def on_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer has begun."""
        self.requests.add(method, route, str(status))
        self.request_seconds.observe(seconds, route)

    def families(self) -> Iterator[Family]:
        """All of it as it is now."""
        yield self.requests.family()
        yield self.request_seconds.family()
        yield self.operations.family()
        yield self.batch_size.family()
        yield self.batch_seconds.family()
        yield self.failed_changes.family()
