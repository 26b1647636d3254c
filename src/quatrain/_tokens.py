"""The tokens of the whole process, for both flavours and any number of clients and event loops.

Times are on the steady clock of the client that asks, and come with each call. Source: contracts,
Vendo, "Two modes".
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Self

import attrs

from ._runtime._flights import Flight, Flights
from ._secret import Secret

UNDATED: Final = 50 * 60.0
"""Seconds for which a token is kept whose answer names no expiry."""
AHEAD: Final = 60.0
"""Seconds before its expiry from which on a token is renewed."""
HOLD_OFF: Final = 5.0
"""Seconds after a renewal that failed for a passing reason until it is tried again."""


@attrs.frozen
class Token:
    """A token, and until when it can be used."""

    value: Secret
    scheme: str = "Bearer"
    """What stands before it in an Authorization header."""
    expires: float = math.inf
    refresh: float = math.inf
    """From then on one caller renews it; the others go on with it."""


@attrs.frozen
class Issued:
    """A token as an answer has it."""

    value: Secret
    scheme: str
    lasts: float | None
    """Seconds; None where the answer does not say."""

    @classmethod
    def of(
        cls, access_token: str, token_type: str | None, expires_at: Any, wall_now: float
    ) -> Self:
        """From an answer's fields, read at the Unix time *wall_now*. Raises ValueError."""
        kind = token_type or "Bearer"
        scheme = "Bearer" if kind.lower() == "bearer" else kind
        return cls(Secret(access_token), scheme, _seconds_left(expires_at, wall_now))

    def token(self, sent: float) -> Token:
        """The token, counted from when it was asked for: never believed longer than it is."""
        if self.lasts is None:
            return Token(self.value, self.scheme, sent + UNDATED, sent + UNDATED)
        expires = sent + self.lasts
        return Token(self.value, self.scheme, expires, expires - AHEAD)


class TokenCache:
    """The tokens, and what is being fetched.

    A key tells apart the app's key, the user, the credentials host and the slug.
    """

    def __init__(self) -> None:
        self.flights: Flights[Token] = Flights()
        self._tokens: dict[Hashable, Token] = {}

    def fresh(self, key: Hashable, now: float) -> Token | None:
        """The token, while nobody has to renew it."""
        token = self._tokens.get(key)
        return token if token is not None and now < token.refresh else None

    def usable(self, key: Hashable, now: float) -> Token | None:
        """The token, while it has not expired."""
        token = self._tokens.get(key)
        return token if token is not None and now < token.expires else None

    def land(self, key: Hashable, flight: Flight[Token], token: Token) -> None:
        """Keep *token*, unless its key was invalidated meanwhile, and hand it to all who wait."""
        with self.flights.lock:
            if self.flights.part(key, flight):
                self._tokens[key] = token
        self.flights.land(key, flight, token)

    def hold_off(self, key: Hashable, token: Token, until: float) -> None:
        """Use *token*, whose renewal failed, as it is *until* then, or until it expires."""
        with self.flights.lock:
            if self._tokens.get(key) is token:
                self._tokens[key] = attrs.evolve(token, refresh=min(until, token.expires))

    def drop(self, key: Hashable, token: Token) -> None:
        """Forget *token*, which was refused; what it was renewed to meanwhile stays."""
        with self.flights.lock:
            known = self._tokens.get(key)
            # by its value: to hold off makes another of the same
            if known is not None and known.value == token.value:
                del self._tokens[key]

    def invalidate(self, key: Hashable) -> None:
        """Forget the token, and keep none that was asked for before now."""
        with self.flights.lock:
            self._tokens.pop(key, None)
            self.flights.part(key)

    def clear(self) -> None:
        """Forget everything: for tests, which share a process."""
        for key in self.known():
            self.invalidate(key)

    def known(self) -> list[Hashable]:
        """Of all that are kept, or being fetched."""
        with self.flights.lock:
            return [*self._tokens, *self.flights.known()]


TOKENS: Final = TokenCache()
"""The one of this process."""

_seen: Final[contextvars.ContextVar[set[Hashable] | None]] = contextvars.ContextVar(
    "quatrain.tokens.seen", default=None
)


@contextlib.contextmanager
def looking_anew() -> Iterator[None]:
    """In this block each token is asked for when it is first wanted, though it may be kept.

    For who has to see what is. Nothing is dropped for that: others go on with what is kept, and so
    do all while the platform can't be asked.
    """
    token = _seen.set(set())
    try:
        yield
    finally:
        _seen.reset(token)


def is_to_be_seen(key: Hashable) -> bool:
    """Whether the token is to be asked for whatever is kept: once in a block, and never outside."""
    seen = _seen.get()
    if seen is None or key in seen:
        return False
    seen.add(key)
    return True


def _seconds_left(expires_at: Any, wall_now: float) -> float | None:
    """Until the time that an answer names: ISO-8601, or Unix seconds. None where it names none.

    *wall_now* is the Unix time it is compared with. Raises ValueError for what is no time.
    """
    if expires_at is None:
        return None
    if isinstance(expires_at, int | float) and not isinstance(expires_at, bool):
        return float(expires_at) - wall_now
    if not isinstance(expires_at, str):
        raise ValueError("expires_at is neither a text nor a number")  # noqa: TRY004 - its one kind
    try:
        time = datetime.fromisoformat(expires_at)
    except ValueError:
        raise ValueError("expires_at is no time in ISO-8601") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return time.timestamp() - wall_now
