"""What the lanes and the transport share of HTTP: where requests may go, and how they look.

With ``_async/lanes.py`` the only importer of httpx.
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import attrs
import httpx

from ._secret import Secret
from ._version import __version__

USER_AGENT: Final = f"quatrain/{__version__}"
KEEPALIVE_EXPIRY: Final = 55.0
"""Seconds an idle connection is kept; servers and balancers commonly close theirs after 60."""
MAX_HEADER_KEY: Final = 8_192  # characters of an API key; servers refuse longer header lines


@attrs.frozen
class Origin:
    """The one place a client's requests, and its key, may go.

    ``base_url`` is scheme, host, port and path prefix, without a trailing slash.
    """

    base_url: str
    url: httpx.URL = attrs.field(repr=False)

    @classmethod
    def parse(
        cls, base_url: str, *, allow_insecure: bool, refuse: Callable[[str], Exception]
    ) -> Origin:
        """Check *base_url*; raises ``refuse(reason)``.

        Plain http is for loopback, where nobody listens in, unless *allow_insecure*.
        """
        if not isinstance(base_url, str):
            raise refuse(f"base_url has to be a string, not {type(base_url).__name__}")
        try:
            parts = urlsplit(base_url)
            host, _ = parts.hostname, parts.port
            url = httpx.URL(base_url.rstrip("/"))
        except (ValueError, httpx.InvalidURL) as exc:
            raise refuse(f"base_url is not a URL: {exc}") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise refuse("base_url has to begin with https:// (or http:// on loopback) and a host")
        if parts.username is not None or parts.password is not None:
            raise refuse("base_url must not hold credentials; pass api_key")
        if parts.query or parts.fragment:
            raise refuse("base_url must not hold a query or a fragment")
        if parts.scheme == "http" and not (allow_insecure or _is_loopback(host)):
            raise refuse(
                f"base_url would send the key unencrypted to {host};"
                " use https, or allow_insecure=True if the network is yours"
            )
        return cls(base_url.rstrip("/"), url)

    def url_for(self, segments: tuple[str, ...], query: Mapping[str, str]) -> httpx.URL:
        """The URL of a path below the base: each segment is encoded, so none can leave it."""
        path = "".join(f"/{encode_segment(segment)}" for segment in segments)
        text = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return self.url.copy_with(raw_path=f"{self._prefix}{path}{text}".encode("ascii"))

    @property
    def _prefix(self) -> str:
        return self.url.raw_path.decode("ascii").rstrip("/")


@functools.lru_cache(maxsize=1024)
def encode_segment(segment: str) -> str:
    """Percent-encode one path segment; dots too where the whole segment is dots.

    Raises ValueError for an empty one, which would leave its neighbours to meet, and for lone
    surrogates.
    """
    if not segment:
        raise ValueError("a part of its path is empty")
    encoded = quote(segment, safe="")
    return encoded.replace(".", "%2E") if encoded.strip(".") == "" else encoded


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_key(key: Secret, refuse: Callable[[str], Exception]) -> None:
    """Refuse what can't be sent as a header, without showing it."""
    text_ok = all("!" <= char <= "~" for char in key.reveal())
    if not key or not text_ok or len(key.reveal()) > MAX_HEADER_KEY:
        raise refuse("api_key is empty, too long, or holds characters a header can't carry")


@functools.lru_cache(maxsize=1)
def ssl_context() -> ssl.SSLContext:
    """One context a process: loading the certificates costs ~20 ms each time."""
    return httpx.create_ssl_context()


@functools.lru_cache(maxsize=1)
def no_ssl_context() -> ssl.SSLContext:
    """For plain http: an empty context, so that no certificates are loaded for nothing."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@functools.lru_cache(maxsize=64)
def proxy_for(scheme: str, host: str) -> str | None:
    """The environment's proxy for an origin (``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``)."""
    if _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(scheme) or proxies.get("all")


def lane_options(url: httpx.URL) -> dict[str, Any]:
    """Arguments of a single-connection httpx transport to *url*'s origin."""
    return {
        "verify": ssl_context() if url.scheme == "https" else no_ssl_context(),
        "trust_env": False,
        "proxy": proxy_for(url.scheme, url.host),
        "limits": httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY
        ),
    }


def headers(key: Secret, *, has_body: bool) -> list[tuple[bytes, bytes]]:
    """A request's headers. The key goes from the secret into the list, through no variable."""
    return [
        *(_JSON_BODY if has_body else _NO_BODY),
        (b"authorization", b"Bearer " + key.reveal().encode("ascii")),
    ]


_NO_BODY: Final = [
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"user-agent", USER_AGENT.encode("ascii")),
]
_JSON_BODY: Final = [*_NO_BODY, (b"content-type", b"application/json")]


def never_sent(exc: httpx.RequestError) -> bool:
    """True when the request surely did not reach the server."""
    return isinstance(
        exc,
        httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol,
    )


def forget_locals(exc: BaseException, *, until: BaseException | None) -> None:
    """Clear the frames below *exc*: the HTTP stack's locals hold the Authorization header.

    *until* is what was being handled before the request, and is in the context of all that came
    after: its frames are the caller's.
    """
    seen = {id(until)}
    pending: list[BaseException | None] = [exc]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        traceback.clear_frames(current.__traceback__)
        pending += [current.__cause__, current.__context__]


def refuse_json_constant(name: str) -> NoReturn:
    """``parse_constant`` of strict JSON: NaN and Infinity are not JSON."""
    msg = f"{name} is not JSON"
    raise ValueError(msg)
