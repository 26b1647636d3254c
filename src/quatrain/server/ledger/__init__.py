"""The effect ledger: its state machine, without HTTP.

``operations`` are the changes and ``queries`` the reads, as functions the store runs; ``records``
is what they answer; ``service.Ledger`` is how the rest of the platform asks.
"""

from __future__ import annotations

from . import together as _together  # what it marks is done so  # noqa: F401
from .errors import in_short
from .queries import EffectsPage, EventsPage, Filter
from .records import (
    Cached,
    Effect,
    EffectChangedError,
    EffectNotFoundError,
    Event,
    EventType,
    Granted,
    LeaseExpiredError,
    LeaseHeldError,
    NotHeldError,
    NotResettableError,
    NotResolvableError,
    Observed,
    PriorState,
    Renewed,
    Settled,
    StaleFenceError,
    Status,
)
from .service import (
    DEFAULT_LEASE_MS,
    MAX_LEASE_MS,
    MIN_LEASE_MS,
    EffectId,
    Holder,
    Ledger,
)
from .trail import EffectTrail, Line, Place, TrailPage

__all__ = [
    "DEFAULT_LEASE_MS",
    "MAX_LEASE_MS",
    "MIN_LEASE_MS",
    "Cached",
    "Effect",
    "EffectChangedError",
    "EffectId",
    "EffectNotFoundError",
    "EffectTrail",
    "EffectsPage",
    "Event",
    "EventType",
    "EventsPage",
    "Filter",
    "Granted",
    "Holder",
    "LeaseExpiredError",
    "LeaseHeldError",
    "Ledger",
    "Line",
    "NotHeldError",
    "NotResettableError",
    "NotResolvableError",
    "Observed",
    "Place",
    "PriorState",
    "Renewed",
    "Settled",
    "StaleFenceError",
    "Status",
    "TrailPage",
    "in_short",
]
