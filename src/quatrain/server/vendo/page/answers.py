"""The page's answers, each with the headers that keep it to itself."""

from __future__ import annotations

from typing import Any, Final

from quatrain.server.vendo.return_to import ReturnTo
from quatrain.server.webpages import Answer, Headers, Pages

PAGES: Final = Pages("quatrain.server.vendo.page")
"""Its templates, and its style sheet."""


def page(
    status: int, template: str, *, form_action: str = "'none'", headers: Headers = (), **values: Any
) -> Answer:
    """A web page, with *headers* of its own besides those of every page.

    *form_action* is where its forms may lead. ``assets`` is to be among the values: the path of
    what belongs to it.
    """
    (style,) = PAGES.assets
    text = PAGES.render(template, style=f"{values['assets']}/{style}", **values)
    has_form = form_action != "'none'"
    return Answer(
        status,
        text.encode(),
        (
            ("content-type", "text/html; charset=utf-8"),
            (
                "content-security-policy",
                (
                    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
                    f" form-action {form_action}"
                ),
            ),
            # With no-referrer a browser also hides the Origin of what a form posts, by which the
            # forms of other sites are told. The address of a page with a form holds no secret.
            ("referrer-policy", "same-origin" if has_form else "no-referrer"),
            *_PRIVATE,
            *headers,
        ),
    )


def redirect(location: str, *, headers: Headers = ()) -> Answer:
    """303: the browser goes there with a GET, and the address that it asked for is forgotten."""
    own = (("location", location), ("referrer-policy", "no-referrer"))
    return Answer(303, b"", (*own, *_PRIVATE, *headers))


_PRIVATE: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    # No Cross-Origin-Opener-Policy: an app may open the page in a window of its own, and have what
    # it shows at return_to talk to the one that opened it.
)


def form_action(return_to: ReturnTo, allowed: frozenset[str]) -> str:
    """Where a form may lead: here and, because Chromium asks it of redirects, too, to the app.

    An app that sends the browser on, to another origin, has that listed like the first one.
    """
    # a policy can't name an IPv6 address, only the scheme
    back = f"{return_to.origin.partition(':')[0]}:" if return_to.addressed else return_to.origin
    listed = sorted(origin for origin in allowed if "[" not in origin)
    return " ".join(dict.fromkeys(["'self'", back, *listed]))
