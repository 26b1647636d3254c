"""Whole URLs: where a caller, or an answer, says that something is. No I/O.

A client's key is for its own origin alone, so an address knows its origin: the transport compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import attrs
import httpcore
import httpx

from ._http import MAX_TARGET, Origin, is_loopback

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@attrs.frozen
class Address:
    """A place, and what is asked for there."""

    origin: Origin
    target: str = attrs.field(repr=False)
    """Path and query, encoded. Not shown: a presigned link's is a credential."""

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        base: Origin,
        root: str,
        allow_insecure: bool,
        refuse: Callable[[str], Exception],
        params: Mapping[str, Any] | None = None,
    ) -> Address:
        """The address that *text* names; raises ``refuse(reason)``, which never quotes it.

        A bare path is below *root* of the *base* URL, one with a leading ``/`` below the base
        itself, and an absolute URL is what it is. ``..`` is resolved, as in any URL: a path may
        leave *root* with it, and never the base's origin. *params* are added to the query.
        """
        if not isinstance(text, str) or not text:
            raise refuse("a path has to be a string that is not empty")
        if text.startswith("//"):
            raise refuse("a path that begins with // could be taken for a host's name")
        absolute = _ABSOLUTE.match(text) is not None
        if not absolute:
            text = f"{base.base_url}{text if text.startswith('/') else root + text}"
        try:
            url = httpx.URL(text)
            added = query_text(params or {})
        except httpx.InvalidURL as exc:
            # what follows a colon is quoted, and could be a part of a credential
            reason = str(exc).partition(":")[0]
            raise refuse(f"no URL can be made of it: {reason}") from None
        except ValueError as exc:
            raise refuse(f"no URL can be made of it: {exc}") from None
        origin = _origin(url, base, refuse) if absolute else base
        if origin is not base and not (allow_insecure or _is_private(url)):
            raise refuse(
                f"the URL's answer would come unencrypted from {_host(url)};"
                " use https, or allow_insecure=True if the network is yours"
            )
        target = url.raw_path.decode("ascii")
        if added:
            target += f"{'&' if '?' in target else '?'}{added}"
        if len(target) > MAX_TARGET:
            raise refuse(f"no URL can be made of it: it would be {len(target):,} characters long")
        return cls(origin, target)

    def is_at(self, origin: Origin) -> bool:
        """Whether it has the scheme, the host and the port of *origin*."""
        return self.origin.core == origin.core

    @property
    def url(self) -> httpx.URL:
        """All of it."""
        return httpx.URL(self.origin.base_url).copy_with(raw_path=self.target.encode("ascii"))


def _origin(url: httpx.URL, base: Origin, refuse: Callable[[str], Exception]) -> Origin:
    """That of an absolute URL: *base* where it is the same place."""
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise refuse("an absolute URL has to begin with https:// (or http://) and a host")
    if url.userinfo:
        raise refuse("a URL must not hold credentials")
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    core = httpcore.Origin(url.raw_scheme, url.raw_host, port)
    if core == base.core:
        return base
    netloc = url.netloc
    return Origin(f"{url.scheme}://{netloc.decode('ascii')}", core, netloc, "")


def _is_private(url: httpx.URL) -> bool:
    return url.scheme == "https" or is_loopback(_host(url))


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")  # its ``host`` fails for what is no name in Unicode


def query_text(params: Mapping[str, Any]) -> str:
    """*params* as a query: None is dropped, a list is its name several times.

    Raises ValueError for a value that no query can carry.
    """
    if not isinstance(params, Mapping):
        raise ValueError("params have to be a mapping")  # noqa: TRY004 - its caller's one kind
    pairs = [
        (name, _query_value(name, each))
        for name, value in params.items()
        for each in (value if isinstance(value, list | tuple) else (value,))
        if each is not None
    ]
    return urlencode(pairs, quote_via=quote)


def _query_value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, datetime):
        return moment(name, value)
    raise ValueError(f"{name} is a {type(value).__name__}, which no query can carry")


def moment(name: str, value: Any) -> str:
    """A time as it goes over the wire, ISO-8601; text is taken as it is.

    Raises ValueError for a time without a zone, which nobody could place, and for anything else.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} has no time zone: datetime.now(UTC) has one")
        return value.isoformat()
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} has to be a datetime, or a time as ISO-8601 text")
    return value


def without(headers: Iterable[tuple[bytes, bytes]], *names: bytes) -> list[tuple[bytes, bytes]]:
    """*headers* less those of *names*, which are in lower case."""
    return [(name, value) for name, value in headers if name.lower() not in names]
