"""Where a browser may be sent when a person is done, and what it is sent there with.

A page that sends browsers wherever its query says is a phisher's friend, so only origins that were
listed will do, and this machine's own. The rule is stricter than URLs are: a text that a browser
might read in another way than this module does is refused, not guessed at.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl, urlencode

import attrs

from quatrain.errors import ConfigError, InputError

MAX_LENGTH: Final = 2_048
ANSWERED: Final = frozenset({"state", "slug", "status"})
"""The names of what is added to the query."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ORIGIN: Final = (
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
# RFC 3986's characters, which leaves out the backslash, that browsers take for a slash, and what
# they drop silently: tabs, line breaks and spaces
_CHARACTER: Final = r"(?:[a-z0-9._~!$&'()*+,;=:@/-]|%[0-9a-f]{2})"
_URL: Final = re.compile(
    rf"(?P<origin>{_ORIGIN})(?:/{_CHARACTER}*)?(?:\?(?P<query>(?:{_CHARACTER}|\?)*))?",
    re.ASCII | re.IGNORECASE,
)
_ONLY_ORIGIN: Final = re.compile(rf"{_ORIGIN}/?", re.ASCII | re.IGNORECASE)


@attrs.frozen
class ReturnTo:
    """An address that a browser may be sent to."""

    url: str
    """As it was given."""
    origin: str
    """``https://app.example``: lower case, without the scheme's own port."""
    _has_query: bool = attrs.field(alias="has_query", repr=False)

    @property
    def addressed(self) -> bool:
        """Whether its host is an IPv6 address, which policies of content can't name."""
        return "[" in self.origin

    def with_answer(self, *, state: str, slug: str, status: str) -> str:
        """The address with the answer, after the query that it has."""
        joint = "&" if self._has_query else "?"
        return f"{self.url}{joint}{urlencode({'state': state, 'slug': slug, 'status': status})}"


def checked(text: str, allowed: Collection[str]) -> ReturnTo:
    """A ``return_to`` that may be followed: its origin is *allowed*, or a loopback host's.

    The latter may have any port: programs under development take what is free (RFC 8252, 7.3).
    Raises InputError, in words for the page.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"return_to is longer than {MAX_LENGTH:,} characters")
    parts = _URL.fullmatch(text)
    if parts is None:
        raise InputError(
            "return_to is not an absolute http or https address of plain characters, without a"
            " user name and without a fragment"
        )
    origin = _normal(parts)
    if origin is None:
        raise InputError("return_to names no host and port that a browser could reach")
    if origin not in allowed and not _loopback(origin):
        raise InputError(f"this platform does not send anybody to {origin}")
    query = parts["query"]
    names = {name for name, _ in parse_qsl(query or "", keep_blank_values=True)}
    if taken := sorted(names & ANSWERED):
        raise InputError(f"return_to has a {taken[0]} of its own, which the answer has, too")
    return ReturnTo(text, origin, has_query=query is not None)


def origin_of(text: str) -> str:
    """An origin as it is compared: what somebody lists. Raises ConfigError for what is none."""
    parts = _ONLY_ORIGIN.fullmatch(text) if isinstance(text, str) else None
    origin = None if parts is None else _normal(parts)
    if origin is None:
        raise ConfigError(f"{text!r} is not an origin such as https://app.example")
    return origin


def _normal(parts: re.Match[str]) -> str | None:
    """The origin in the one way in which origins are compared; None for one that can't be."""
    scheme, host = parts["scheme"].lower(), parts["host"].lower()
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    elif not _one_reading(host):
        return None
    port = int(parts["port"]) if parts["port"] else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65_536:
        return None
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def _one_reading(host: str) -> bool:
    """Whether a browser takes the name for what it seems: ``127.1`` and ``0x7f.1`` are numbers."""
    if ".." in host or len(host) > 253:
        return False
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]):
        return True
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _loopback(origin: str) -> bool:
    """Whether this machine is meant, and no name that anybody could have lead elsewhere."""
    host = origin.partition("://")[2]
    if host.startswith("["):
        return host.startswith("[::1]")
    name = host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False
