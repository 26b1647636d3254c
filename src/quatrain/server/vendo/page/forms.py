"""What a browser brings to the connect page: cookies and values, read without believing any."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Final

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.asgi import Scope, header
from quatrain.server.recognizer import digest_of
from quatrain.server.vendo import broker

MAX_STATE: Final = 512

_VISIBLE: Final = re.compile(r"[!-~]+")
_COOKIE: Final = "vendo_visit_"
_COOKIE_VALUE: Final = re.compile(r"([A-Za-z0-9_-]{32})\.([A-Za-z0-9_-]{2,684})")


@attrs.frozen
class Ticket:
    """What the browser keeps of a visit: a token nobody can guess, and the app's state."""

    token: Secret
    state: str = attrs.field(repr=False)

    @property
    def digest(self) -> bytes:
        """By which the database knows the visit."""
        return digest_of(self.token.reveal().encode("ascii"))

    @property
    def name(self) -> str:
        """Of the visit, in its address: it tells visits apart, and opens none."""
        return name_of(self.digest)

    @property
    def form_token(self) -> str:
        """What a form of this visit carries, and no page from elsewhere can know.

        The token itself stays out of the page: what reads the page must not get the visit.
        """
        key = self.token.reveal().encode("ascii")
        return hmac.new(key, b"connect page form", hashlib.sha256).hexdigest()

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value. Each visit has its own, so that two tabs do not end one another."""
        state = base64.urlsafe_b64encode(self.state.encode("ascii")).rstrip(b"=").decode("ascii")
        return f"{_COOKIE}{self.name}", f"{self.token.reveal()}.{state}"


def name_of(digest: bytes) -> str:
    """The name of the visit with this digest."""
    return digest.hex()[:16]


def tickets(scope: Scope) -> Iterator[Ticket]:
    """Those that the browser sent along; what does not look like one is none."""
    for pair in (header(scope, b"cookie") or b"").decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        parts = _COOKIE_VALUE.fullmatch(value) if name.startswith(_COOKIE) else None
        if parts is None:
            continue
        padded = parts[2] + "=" * (-len(parts[2]) % 4)
        try:
            state = base64.urlsafe_b64decode(padded).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            continue
        yield Ticket(Secret(parts[1]), state)


def checked_state(state: str) -> str:
    """Raises InputError, in words for the page."""
    if len(state) > MAX_STATE or not _VISIBLE.fullmatch(state):
        raise InputError(f"state is 1 to {MAX_STATE} visible ASCII characters")
    return state


def checked_key(pasted: str) -> Secret:
    """A pasted key, without the blanks around it. Raises InputError, which never quotes it."""
    key = pasted.strip()
    if not key:
        raise InputError("Paste the key first.")
    if len(key) > broker.MAX_KEY:
        raise InputError(f"That is longer than {broker.MAX_KEY:,} characters: no key is.")
    if not _VISIBLE.fullmatch(key):
        raise InputError(
            "A key has no blanks, line breaks or accented characters inside. Copy it once more."
        )
    return Secret(key)
