"""Times on the wire: ISO-8601, UTC, milliseconds, ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def iso_time(ms: int) -> str:
    """Milliseconds since 1970 as ``2026-05-17T09:30:00.250Z``."""
    seconds, rest = divmod(ms, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


def iso_time_or_none(ms: int | None) -> str | None:
    """For a time that may not have come."""
    return None if ms is None else iso_time(ms)


@lru_cache(maxsize=256)  # what is written together was mostly timed in the same few seconds
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
