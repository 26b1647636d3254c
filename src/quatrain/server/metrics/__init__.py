"""What monitoring reads of a platform, in Prometheus' text format.

``registry`` counts and writes, ``platform`` says what is counted, ``gauges`` reads what is in the
ledger, ``endpoint`` answers ``/metrics``. No client library: counting is a lock and an addition,
and there are no processes to be put together.
"""

from __future__ import annotations

from .endpoint import MetricsEndpoint
from .ledger import CountedLedger
from .platform import PlatformMetrics

__all__ = ["CountedLedger", "MetricsEndpoint", "PlatformMetrics"]
