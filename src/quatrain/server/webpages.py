"""Web pages: templates that are compiled once, the files they refer to, and how both are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import attrs

from .asgi import Send

if TYPE_CHECKING:
    import jinja2

Headers = tuple[tuple[str, str], ...]

_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


class PageError(Exception):
    """A page that says why nothing goes on here."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.message = message


@attrs.frozen
class Answer:
    """What is sent."""

    status: int
    body: bytes
    headers: Headers


async def send(to: Send, answer: Answer) -> None:
    """Send it."""
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await to({"type": "http.response.start", "status": answer.status, "headers": headers})
    await to({"type": "http.response.body", "body": answer.body})


class Pages:
    """The folders ``templates`` and ``assets`` of a *package*; *filters* are the templates'.

    Nothing is read before ``load``, or before a page is asked for: most platforms never show one.
    """

    def __init__(
        self, package: str, *, filters: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        self._files = resources.files(package)
        self._filters = filters or {}

    def load(self) -> None:
        """Read and compile everything, which blocks for a tenth of a second or two."""
        _ = self.templates, self.assets

    @property
    def is_loaded(self) -> bool:
        """Whether that was done, so that an answer can be made on the event loop."""
        return {"templates", "assets"} <= self.__dict__.keys()

    def render(self, template: str, **values: Any) -> str:
        """A page's text."""
        return self.templates.get_template(template).render(**values)

    def asset(self, name: str, *, headers: Headers = ()) -> Answer | None:
        """A file that pages refer to, with *headers* of its own; None when there is no such one."""
        content = self.assets.get(name)
        if content is None:
            return None
        usual = (
            ("content-type", _TYPES[name.rpartition(".")[2]]),
            # its name tells its content: it never changes
            ("cache-control", "public, max-age=31536000, immutable"),
            ("x-content-type-options", "nosniff"),
        )
        return Answer(200, content, (*usual, *headers))

    @cached_property
    def templates(self) -> jinja2.Environment:
        """Every template, compiled."""
        import jinja2  # noqa: PLC0415 - as slow to import as all the rest of the platform

        environment = jinja2.Environment(
            loader=jinja2.DictLoader(
                {
                    file.name: file.read_text("utf-8")
                    for file in (self._files / "templates").iterdir()
                    if file.name.endswith(".html")
                }
            ),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(self._filters)
        for name in environment.list_templates():
            environment.get_template(name)
        return environment

    @cached_property
    def assets(self) -> dict[str, bytes]:
        """Each file by a name that changes with its content: ``connect-<hash>.css``."""
        found = {}
        for file in (self._files / "assets").iterdir():
            stem, _, kind = file.name.rpartition(".")
            if kind in _TYPES:
                content = file.read_bytes()
                found[f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.{kind}"] = content
        return found
