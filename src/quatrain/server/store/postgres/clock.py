"""The time on PostgreSQL is the database's."""

from __future__ import annotations

from collections.abc import Callable

from ..base import wall_clock_ms


class DatabaseClock:
    """The database's clock, as far as this process knows it; in tests, one that is given."""

    def __init__(self, given: Callable[[], int] | None) -> None:
        self._given = given
        self._ahead = 0
        self.now_ms = given or self._guess

    def given(self) -> int | None:
        """The time that counts in the place of the database's; None when that counts."""
        return None if self._given is None else self._given()

    def seen(self, now: int) -> int:
        """The database says that it is *now*; the time that counts."""
        if self._given is not None:
            return self._given()
        self._ahead = now - wall_clock_ms()
        return now

    def _guess(self) -> int:
        return wall_clock_ms() + self._ahead
