"""How tokens lie in the database: sealed with AES-256-GCM under the platform's secret key.

What is sealed is bound to the row and the column that it is in (they are its associated data), so
that nobody who can write to the database can have one connection's token handed out as another's.
The first of several keys seals, and all of them open: a key is replaced by putting a new one first.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from quatrain._secret import Secret
from quatrain.errors import ConfigError

from .records import UnavailableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12  # random ones are safe for 2**32 seals under a key
_HEAD: Final = 1 + _ID_BYTES


class Ring:
    """The platform's secret keys, at least one; not shown."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ids = [_derived(key, "id")[:_ID_BYTES] for key in keys]
        self._sealing = dict(zip(self._ids, (_derived(key, "tokens") for key in keys), strict=True))
        self._signing = [_derived(key, "user tokens") for key in keys]

    @classmethod
    def parse(cls, text: Secret) -> Ring:
        """One key, or several with commas between: each 32 bytes in base64, of either alphabet.

        Raises ConfigError.
        """
        return cls([_key(part) for part in text.reveal().split(",")])

    @property
    def names(self) -> list[str]:
        """By what the keys are told apart; they can't be guessed from it."""
        return [each.hex() for each in self._ids]

    @property
    def signing(self) -> list[bytes]:
        """Keys derived from these, to sign the tokens of users; the first signs."""
        return self._signing

    def knows(self, sealed: bytes) -> bool:
        """Whether *sealed* says that it was sealed with one of these keys."""
        return sealed[:1] == _VERSION and sealed[1:_HEAD] in self._sealing

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it was sealed with the first of them."""
        return sealed[:_HEAD] == _VERSION + self._ids[0]

    def seal(self, plain: Secret, *, place: str) -> bytes:
        """*plain* for the *place* that it will be kept in."""
        name = self._ids[0]
        nonce = os.urandom(_NONCE_BYTES)
        box = _box(self._sealing[name])
        sealed = box.encrypt(nonce, plain.reveal().encode(), place.encode())
        return _VERSION + name + nonce + sealed

    def open(self, sealed: bytes, *, place: str) -> Secret:
        """What was sealed for that *place*. Raises UnavailableError, and the row stays as it is."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  see _box

        if not self.knows(sealed):
            raise UnavailableError(foreign(sealed, self))
        nonce, rest = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
        box = _box(self._sealing[sealed[1:_HEAD]])
        try:
            plain = box.decrypt(nonce, rest, place.encode())
        except (InvalidTag, ValueError):  # the latter for what is cut off
            raise UnavailableError(
                "a token in the database was changed, or moved, since it was sealed"
            ) from None
        return Secret(plain.decode())

    def __repr__(self) -> str:
        return f"<Ring {self.names}>"


def new_key() -> Secret:
    """A key's text, as ``Ring.parse`` reads it."""
    return Secret(base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).rstrip(b"=").decode("ascii"))


def foreign(sealed: bytes, ring: Ring) -> str:
    """Why *sealed* can't be opened, in words."""
    return (
        f"the database's tokens were sealed with the secret key {name_of(sealed)}, and this"
        f" platform has {', '.join(ring.names)}: give it the right one, behind a comma if it is an"
        " old one"
    )


def name_of(sealed: bytes) -> str:
    """By what the key is told apart that *sealed* was sealed with."""
    return sealed[1:_HEAD].hex() if sealed[:1] == _VERSION else "of another version"


def _key(text: str) -> bytes:
    text = text.strip().rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        # its text is not told: it may be a key with a slip in it
        raise ConfigError(
            f"a secret key is {KEY_BYTES} random bytes in base64, which are 43 characters, or 44;"
            " several have commas between"
        )
    return key


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"quatrain vendo {purpose}".encode(), "sha256")


def _box(key: bytes) -> AESGCM:
    # late: a platform that only keeps effects need not wait for it
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)
