"""The page's answers, each with the headers that keep it to itself."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import attrs

from quatrain.server.asgi import Send
from quatrain.server.vendo.return_to import ReturnTo

if TYPE_CHECKING:
    import jinja2

Headers = tuple[tuple[str, str], ...]

_FILES: Final = resources.files("quatrain.server.vendo.page")
_STYLE: Final = "connect.css"


@attrs.frozen
class Answer:
    """What is sent."""

    status: int
    body: bytes
    headers: Headers


def page(
    status: int, template: str, *, form_action: str = "'none'", headers: Headers = (), **values: Any
) -> Answer:
    """A web page, with *headers* of its own besides those of every page.

    *form_action* is where its forms may lead. ``assets`` is to be among the values: the path of
    what belongs to it.
    """
    text = (
        templates()
        .get_template(template)
        .render(style=f"{values['assets']}/{style()[0]}", **values)
    )
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


def asset(name: str) -> Answer | None:
    """A file that pages refer to; None when there is no such one."""
    known, content = style()
    if name != known:
        return None
    return Answer(
        200,
        content,
        (
            ("content-type", "text/css; charset=utf-8"),
            # its name tells its content: it never changes
            ("cache-control", "public, max-age=31536000, immutable"),
            ("x-content-type-options", "nosniff"),
        ),
    )


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


async def send(to: Send, answer: Answer) -> None:
    """Send it."""
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await to({"type": "http.response.start", "status": answer.status, "headers": headers})
    await to({"type": "http.response.body", "body": answer.body})


def load() -> None:
    """Read and compile everything, which blocks for a tenth of a second or two."""
    templates()
    style()


def is_loaded() -> bool:
    """Whether that was done, so that an answer can be made on the event loop."""
    return bool(templates.cache_info().currsize and style.cache_info().currsize)


@cache
def templates() -> jinja2.Environment:
    """Every template, compiled."""
    import jinja2  # noqa: PLC0415 - as slow to import as all the rest of the platform

    environment = jinja2.Environment(
        loader=jinja2.DictLoader(
            {
                file.name: file.read_text("utf-8")
                for file in (_FILES / "templates").iterdir()
                if file.name.endswith(".html")
            }
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


@cache
def style() -> tuple[str, bytes]:
    """The style sheet's name, which changes with it, and its content."""
    content = (_FILES / "assets" / _STYLE).read_bytes()
    return f"connect-{hashlib.sha256(content).hexdigest()[:16]}.css", content
