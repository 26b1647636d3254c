"""Headers of a request that came in, in whatever kind of object: no I/O, and nothing is raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

_BLANKS: Final = " \t"
"""What may stand around a field's value and is no part of it (RFC 9110, 5.5)."""


def header_of(headers: Any, name: str) -> str | None:
    """The value of the header *name*, in any case; None for what is missing or no text.

    *headers* is a mapping, a framework's headers (Starlette's, Django's, Flask's, aiohttp's,
    httpx's, the standard library's), or pairs of str or bytes. A header that is given twice is
    nobody's, and None: readers would differ on which counts.

    A WSGI environ is not among them: in it nobody can tell ``X-User`` from ``X_User``, which a
    proxy lets through. Pass the framework's ``request.headers``.
    """
    return headers_of(headers, (name,))[name]


def headers_of(headers: Any, names: Sequence[str]) -> dict[str, str | None]:
    """``header_of`` for each of *names*; *headers* is read once, as a generator can be."""
    try:
        pairs = list(_pairs(headers, names))
    except Exception:  # noqa: BLE001 - a wrong thing, or one that can't be read: nothing is there
        pairs = []
    found: dict[str, list[Any]] = {name.lower(): [] for name in names}
    for name, value in pairs:
        key = _text(name)
        if key is not None and key.lower() in found:
            found[key.lower()].append(value)
    return {
        name: _text(values[0]) if len(values := found[name.lower()]) == 1 else None
        for name in names
    }


def _pairs(headers: Any, names: Sequence[str]) -> Iterable[tuple[Any, Any]]:
    # httpx's items() joins the values of a header that is given twice, its multi_items() does not
    for method in ("multi_items", "items"):
        if callable(items := getattr(headers, method, None)):
            return _two(items())
    if callable(getattr(headers, "get", None)):
        # a name that it does not know it knows in lower case, if at all
        return [(name, headers.get(name) or headers.get(name.lower())) for name in names]
    return _two(headers)


def _two(items: Any) -> Iterable[tuple[Any, Any]]:
    return ((item[0], item[1]) for item in items if len(item) == 2)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(_BLANKS)
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which no answer could repeat
        return None
    return value.strip(_BLANKS)
