"""The keyword options of calls, in one place: all ways to ``protect`` take the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypedDict

from ._lease import Lease
from .models.verity import LeaseCachedResponse

OnConflict = Literal["retry", "throw"]
OnUncertain = Literal["act", "raise"]
OnUnavailable = Literal["block", "proceed"]
OnLease = Callable[[Lease | LeaseCachedResponse], object]


class CallOptions(TypedDict, total=False):
    """How one call's requests are sent; the client's settings where None."""

    timeout: float | None
    """Seconds for each step of a request."""
    max_retries: int | None
    """Tries after the first, where a request may be repeated."""


class WriteOptions(CallOptions, total=False):
    """How a write to one of the business platforms is sent, and told from others."""

    idempotency_key: str | None
    """1 to 255 visible ASCII characters: whoever writes with it again gets the first answer. One
    is made up for each call that gives none."""
    effect_key: str | None
    """Write as this effect of the ledger: once, whoever tries and however often. Who comes later
    gets the first one's answer, whatever else they would have written. Needs an umbrella client
    that holds Verity too."""


class RunOptions(CallOptions, total=False):
    """What an effect of a workflow's run can be told; see ``protect`` of the client."""

    namespace: str | None
    key_suffix: str | None
    lease_duration_ms: int | None
    input_json: Any
    on_conflict: OnConflict
    on_lease: OnLease | None
    on_uncertain: OnUncertain | None
    on_unavailable: OnUnavailable | None


class EffectOptions(RunOptions, total=False):
    """What an effect can be told; see ``protect`` of the client."""

    effect_name: str | None
    agent_id: str | None
