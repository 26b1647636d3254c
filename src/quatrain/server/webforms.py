"""What a browser sends: queries and forms, read without believing any of it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from quatrain.errors import InputError

from .asgi import Scope, header

_MAX_FIELDS: Final = 20
_FORM_TYPE: Final = b"application/x-www-form-urlencoded"


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
