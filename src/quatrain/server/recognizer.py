"""Whose key a request came with: asked of the store, and remembered for a moment."""

from __future__ import annotations

import contextlib
import hashlib
import math
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs

from quatrain._secret import Secret

from .store import Connection, Store, StoreUnavailableError

P = TypeVar("P")

RANDOM_BYTES: Final = 32
TRUSTED_FOR: Final = 1.0
"""Seconds until a key is looked up again: so long another process's revocation may go unseen."""
_TOUCH_EVERY_MS: Final = 60_000
"""``last_used_at`` is right to a minute; to the second, every request would be a write."""


@attrs.frozen
class Found(Generic[P]):
    """A key's row, and whom it makes the caller."""

    principal: P
    row_id: int
    last_used_at: int | None
    """Milliseconds since 1970."""


class Recognizer(Generic[P]):
    """Tells a presented key's principal.

    *find* and *touch* are operations of the store: the first takes a digest and answers a Found or
    None, the second notes that the row with that ``id`` was used now.
    """

    def __init__(
        self,
        store: Store,
        *,
        find: Callable[[Connection, int, bytes], Found[P] | None],
        touch: Callable[[Connection, int, dict[str, Any]], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._find = find
        self._touch = touch
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[P, float]] = {}
        self._lent: dict[bytes, tuple[Callable[[Connection, int, Any], P], Any]] = {}

    def lend(
        self, secret: Secret, make: Callable[[Connection, int, Any], P], argument: Any
    ) -> None:
        """Let *secret* make its bearer what the operation *make* answers, as long as this lives.

        Such a key is never stored, and so never listed: it is for the process that made it up.
        """
        self._lent[digest_of(secret.reveal().encode())] = make, argument

    async def authenticate(self, presented: bytes) -> P | None:
        """Whose key that is; None for an unknown or revoked one."""
        return await self.of_digest(digest_of(presented))

    async def of_digest(self, digest: bytes) -> P | None:
        """Whose key has that digest, for who was shown the key before and kept no more of it."""
        now = self._monotonic()
        remembered = self._known
        known = remembered.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        if digest in self._lent:
            make, argument = self._lent[digest]
            lent = await self._store.write(make, argument)
            remembered[digest] = lent, math.inf
            return lent
        found = await self._store.read(self._find, digest)
        if found is None:
            remembered.pop(digest, None)
            return None
        used = found.last_used_at
        if used is None or self._store.now_ms() - used >= _TOUCH_EVERY_MS:
            # who only reads need not wait until the database can be written again
            with contextlib.suppress(StoreUnavailableError):
                self._store.write_unawaited(self._touch, {"id": found.row_id})
        remembered[digest] = found.principal, now + TRUSTED_FOR
        return found.principal

    def forget(self) -> None:
        """Look every key up again: something about them has changed."""
        # another one, and not this one emptied: a look-up under way is about to write into this
        self._known = {}


def new_secret(prefix: str) -> Secret:
    """A key's text that nobody can guess; it opens nothing by itself."""
    return Secret(prefix + secrets.token_urlsafe(RANDOM_BYTES))


def hint_of(secret: Secret, prefix: str) -> str:
    """A key's first characters, to tell it from others."""
    return secret.reveal()[: len(prefix) + 4]


def digest_of(key: bytes) -> bytes:
    """What is kept of a key."""
    # 32 random bytes can't be guessed from their hash: no salt, no slow hash
    return hashlib.sha256(key).digest()
