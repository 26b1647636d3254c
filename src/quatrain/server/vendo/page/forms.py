"""What a browser sends: queries, forms and cookies, read without believing any of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

import attrs

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.asgi import Scope, header
from quatrain.server.recognizer import digest_of
from quatrain.server.vendo import broker

MAX_STATE: Final = 512

_MAX_FIELDS: Final = 20
_VISIBLE: Final = re.compile(r"[!-~]+")
_COOKIE: Final = "vendo_visit_"
_COOKIE_VALUE: Final = re.compile(r"([A-Za-z0-9_-]{32})\.([A-Za-z0-9_-]{2,684})")
_FORM_TYPE: Final = b"application/x-www-form-urlencoded"


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


def fields(text: bytes) -> dict[str, str]:
    """A query or the body of a form. Raises InputError, in words for the page."""
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise InputError("What was sent is not a form that this page can read.") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise InputError("What was sent holds a value twice.")
    return values


def is_form(scope: Scope) -> bool:
    """Whether the body is announced as a form's."""
    media_type = (header(scope, b"content-type") or b"").partition(b";")[0]
    return media_type.strip().lower() == _FORM_TYPE


def from_own_page(scope: Scope) -> bool:
    """Whether the browser does not say that another site's page had it send this.

    Only browsers of some years ago say nothing; that the form's token is right is asked of all.
    The host alone is compared: behind a proxy that ends TLS the scheme is not known here.
    """
    site = header(scope, b"sec-fetch-site")
    if site is not None and site != b"same-origin":
        return False
    names = [value for key, value in scope["headers"] if key == b"origin"]
    if not names:
        return True
    scheme, _, host = names[0].partition(b"://")
    own = header(scope, b"host")
    return len(names) == 1 and scheme in {b"http", b"https"} and host == own


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
