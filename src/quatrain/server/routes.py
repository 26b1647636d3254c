"""From a method and a path to what is to be done, with the names that stand in the path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from .asgi import ROUTE, Scope
from .problems import ProblemError, method_not_allowed, not_found

O = TypeVar("O")  # noqa: E741 - an operation


class Routes(Generic[O]):
    """A platform's operations by ``"GET /modules/{code}"``.

    A name in braces takes one segment of the path, decoded, whatever it holds; slashes that a
    client encoded do not divide.
    """

    def __init__(self, table: Mapping[str, O]) -> None:
        self._given = dict(table)
        self._table: dict[tuple[str, ...], dict[str, O]] = {}
        for key, operation in table.items():
            method, _, path = key.partition(" ")
            pattern = tuple(path.strip("/").split("/"))
            self._table.setdefault(pattern, {})[method] = operation

    @property
    def table(self) -> Mapping[str, O]:
        """As it was given."""
        return self._given

    def find(self, scope: Scope) -> tuple[O, dict[str, str]]:
        """The operation and the path's names. Raises ProblemError 404, 405, or 400 for no UTF-8."""
        segments = _segments(scope)
        for pattern, operations in self._table.items():
            names = _match(pattern, segments)
            if names is None:
                continue
            scope[ROUTE] = "/" + "/".join(pattern)
            operation = operations.get(scope["method"])
            if operation is None:
                raise method_not_allowed(", ".join(sorted(operations)))
            return operation, names
        raise not_found()


def _match(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    names: dict[str, str] = {}
    for part, segment in zip(pattern, segments, strict=True):
        if part.startswith("{"):
            names[part[1:-1]] = segment
        elif part != segment:
            return None
    return names


def _segments(scope: Scope) -> list[str]:
    """The path below the mount."""
    root: str = scope.get("root_path", "")
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    # counted, not compared: a client may have encoded the mount as well
    parts = raw.partition(b"?")[0].split(b"/")[1 + root.count("/") :]
    try:
        return [unquote_to_bytes(part).decode("utf-8") for part in parts]
    except UnicodeDecodeError:
        # servers decode with replacement characters: two names could become one
        raise ProblemError(400, "not_utf8", "the path is not UTF-8") from None
