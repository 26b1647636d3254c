"""The Explorer's answers, each with the headers that keep it to itself."""

from __future__ import annotations

from typing import Any, Final

from quatrain.server.webpages import Answer, Headers, Pages

from . import words

PAGES: Final = Pages("quatrain.server.explorer", filters=words.FILTERS)
"""Its templates and files."""

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
PRIVATE: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    # With no-referrer a browser also hides the Origin of what a form posts, by which the forms of
    # other sites are told.
    ("referrer-policy", "same-origin"),
    ("vary", "cookie, hx-request"),
)


def page(
    template: str, root: str, *, status: int = 200, headers: Headers = (), **values: Any
) -> Answer:
    """A web page, or a part of one; *root* is where the Explorer's addresses begin."""
    text = PAGES.render(template, root=root, assets=_addresses(root), **values)
    # half of a surrogate pair can't get into the database; what else can't be UTF-8 is none either
    body = text.encode("utf-8", "replace")
    kind = ("content-type", "text/html; charset=utf-8")
    return Answer(status, body, (kind, ("content-security-policy", _POLICY), *PRIVATE, *headers))


def redirect(location: str, *, headers: Headers = ()) -> Answer:
    """303: the browser goes there with a GET."""
    return Answer(303, b"", (("location", location), *PRIVATE, *headers))


def asset(name: str) -> Answer | None:
    """A file that pages refer to; None when there is no such one."""
    return PAGES.asset(name, headers=(("cross-origin-resource-policy", "same-origin"),))


def _addresses(root: str) -> dict[str, str]:
    """Where each file is, by its plain name without the end: ``{"explorer_css": …}``."""
    return {
        f"{name.rpartition('-')[0].partition('.')[0]}_{name.rpartition('.')[2]}": (
            f"{root}/assets/{name}"
        )
        for name in PAGES.assets
    }
