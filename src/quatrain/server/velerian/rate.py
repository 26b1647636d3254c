"""How often a key may ask: a bucket of tokens a key, in this process. No I/O."""

from __future__ import annotations

from typing import Final

import attrs

_MINUTE_MS: Final = 60_000


@attrs.define
class _Bucket:
    level: int
    """In tokens times the milliseconds of a minute, so that nothing is rounded."""
    at: int


class RateLimit:
    """Each key has a minute's requests at once, and gets them back one by one.

    *per_minute* is for the keys that have no rate of their own.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, now: int, per_minute: int | None = None) -> int | None:
        """Take a token: None when there was one, else the seconds until there will be.

        *now* is in milliseconds. Who waits that long, and is alone with the key, gets through.
        """
        rate = self._per_minute if per_minute is None else per_minute
        full = rate * _MINUTE_MS
        bucket = self._buckets.setdefault(key, _Bucket(full, now))
        # a clock that is set back gives nothing, and takes nothing away
        bucket.level = min(full, bucket.level + max(0, now - bucket.at) * rate)
        bucket.at = now
        if bucket.level >= _MINUTE_MS:
            bucket.level -= _MINUTE_MS
            return None
        return -(-(_MINUTE_MS - bucket.level) // (rate * 1_000))
