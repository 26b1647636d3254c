"""Times on the wire: ISO-8601, UTC, milliseconds, ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def ms_of(text: str, *, up: bool = False) -> int:
    """An ISO-8601 time as milliseconds since 1970, UTC unless it says otherwise.

    What is finer than a millisecond is cut off, or with *up* rounded up. Raises ValueError.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a time in ISO-8601, as 2026-05-17T09:30:00Z") from None
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    whole, rest = divmod(since, timedelta(milliseconds=1))
    return whole + (1 if up and rest else 0)
