"""The Explorer's answers, each with the headers that keep it to itself."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import attrs

from quatrain.server.asgi import Send

from . import words

if TYPE_CHECKING:
    import jinja2

Headers = tuple[tuple[str, str], ...]

_FILES: Final = resources.files("quatrain.server.explorer")
_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
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


@attrs.frozen
class Answer:
    """What is sent."""

    status: int
    body: bytes
    headers: Headers


def page(
    template: str, root: str, *, status: int = 200, headers: Headers = (), **values: Any
) -> Answer:
    """A web page, or a part of one; *root* is where the Explorer's addresses begin."""
    text = templates().get_template(template).render(root=root, assets=_addresses(root), **values)
    # half of a surrogate pair can't get into the database; what else can't be UTF-8 is none either
    body = text.encode("utf-8", "replace")
    kind = ("content-type", "text/html; charset=utf-8")
    return Answer(status, body, (kind, ("content-security-policy", _POLICY), *PRIVATE, *headers))


def redirect(location: str, *, headers: Headers = ()) -> Answer:
    """303: the browser goes there with a GET."""
    return Answer(303, b"", (("location", location), *PRIVATE, *headers))


def asset(name: str) -> Answer | None:
    """A file that pages refer to; None when there is no such one."""
    content = _assets().get(name)
    if content is None:
        return None
    headers = (
        ("content-type", _TYPES[name.rpartition(".")[2]]),
        # its name tells its content: it never changes
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
    )
    return Answer(200, content, headers)


async def send(to: Send, answer: Answer) -> None:
    """Send it."""
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await to({"type": "http.response.start", "status": answer.status, "headers": headers})
    await to({"type": "http.response.body", "body": answer.body})


def load() -> None:
    """Read and compile everything, which blocks for a tenth of a second or two."""
    templates()
    _assets()


def is_loaded() -> bool:
    """Whether that was done, so that an answer can be made on the event loop."""
    return bool(templates.cache_info().currsize and _assets.cache_info().currsize)


@cache
def templates() -> jinja2.Environment:
    """Every template, compiled."""
    import jinja2  # noqa: PLC0415 - as slow to import as all the rest of the platform

    environment = jinja2.Environment(
        loader=jinja2.DictLoader(
            {
                file.name: file.read_text("utf-8")
                for file in (_FILES / "templates").iterdir()
                if file.name.endswith((".html", ".svg"))
            }
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words.FILTERS)
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


@cache
def _assets() -> dict[str, bytes]:
    """Each file by a name that changes with its content."""
    found = {}
    for file in (_FILES / "assets").iterdir():
        stem, _, kind = file.name.rpartition(".")
        if kind in _TYPES:
            content = file.read_bytes()
            found[f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.{kind}"] = content
    return found


def _addresses(root: str) -> dict[str, str]:
    """Where each file is, by its plain name without the end: ``{"explorer_css": …}``."""
    return {
        f"{name.rpartition('-')[0].partition('.')[0]}_{name.rpartition('.')[2]}": (
            f"{root}/assets/{name}"
        )
        for name in _assets()
    }
