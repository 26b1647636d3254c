"""Random text for tokens and ids, drawn from the system in large pieces.

``os.urandom`` lets go of the interpreter's lock, and under load a thread gets it back only after
the other has done its work: drawn one by one, tokens cost a third of all requests a second.
"""

from __future__ import annotations

import base64
import os
from typing import Final

_TOKEN_BYTES: Final = 24
_TOKEN_CHARS: Final = 32
"""Base64 makes four characters of three bytes."""
_AT_ONCE: Final = 256


class TokenSupply:
    """Unguessable tokens of 24 bytes, as 32 URL-safe characters; for any thread."""

    def __init__(self) -> None:
        self._ready: list[str] = []
        # a fork copies what is ready, and no token may be given out twice
        os.register_at_fork(after_in_child=self._forget)

    def take(self) -> str:
        """A token nobody else gets."""
        try:
            return self._ready.pop()
        except IndexError:
            text = base64.urlsafe_b64encode(os.urandom(_TOKEN_BYTES * _AT_ONCE)).decode("ascii")
            tokens = [text[i : i + _TOKEN_CHARS] for i in range(0, len(text), _TOKEN_CHARS)]
            token = tokens.pop()
            self._ready.extend(tokens)
            return token

    def _forget(self) -> None:
        self._ready = []


_supply: Final = TokenSupply()


def token() -> str:
    """32 URL-safe characters, 192 random bits."""
    return _supply.take()
