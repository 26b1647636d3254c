"""What the lanes and the transport share of HTTP: where requests may go, and how they look.

Requests go over httpcore's connections (see ``_async/lanes.py``), or through the ``httpx`` client
that a caller passed in; this module makes the request for either and takes the answer of either.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
import ssl
import traceback
import urllib.request
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from types import FrameType
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import attrs
import httpcore
import httpx

from ._secret import Secret
from ._version import __version__

AsyncAuthFlow = AsyncGenerator[httpx.Request, httpx.Response]
AuthFlow = Generator[httpx.Request, httpx.Response, None]
"""How httpx is told which requests authorise one, and told again after each answer."""

USER_AGENT: Final = f"quatrain/{__version__}"
KEEPALIVE_EXPIRY: Final = 55.0
"""Seconds an idle connection is kept; servers and balancers commonly close theirs after 60."""
MAX_HEADER_KEY: Final = 8_192  # characters of an API key; servers refuse longer header lines
MAX_HEADER_VALUE: Final = 255  # characters of what callers put into other headers
MAX_TARGET: Final = 60_000  # characters of path and query; httpx and servers end at 65,536


@attrs.frozen
class Origin:
    """The one place a client's requests, and its key, may go.

    ``base_url`` is scheme, host, port and path prefix, without a trailing slash.
    """

    base_url: str
    core: httpcore.Origin = attrs.field(repr=False)
    host: bytes = attrs.field(repr=False)
    """What the Host header says."""
    prefix: str = attrs.field(repr=False)
    """The base URL's path, encoded."""

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
        if parts.scheme == "http" and not (allow_insecure or is_loopback(host)):
            raise refuse(
                f"base_url would send the key unencrypted to {host};"
                " use https, or allow_insecure=True if the network is yours"
            )
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        core = httpcore.Origin(url.raw_scheme, url.raw_host, port)
        return cls(base_url.rstrip("/"), core, url.netloc, url.raw_path.decode().rstrip("/"))

    def target(self, segments: tuple[str, ...], query: Mapping[str, str]) -> str:
        """Path and query below the base: each segment is encoded, so that none can leave it.

        Raises ValueError for an empty segment, for lone surrogates, and for more than MAX_TARGET.
        """
        path = "".join(f"/{encode_segment(segment)}" for segment in segments)
        text = f"?{urlencode(query, quote_via=quote)}" if query else ""
        target = f"{self.prefix}{path}{text}"
        if len(target) > MAX_TARGET:
            raise ValueError(f"it would be {len(target):,} characters long")
        return target

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain http: then no certificates are loaded for nothing."""
        return ssl_context() if self.core.scheme == b"https" else None

    def proxy(self) -> httpx.Proxy | None:
        """The environment's proxy (``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``)."""
        host = self.core.host.decode()
        if is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        proxies = urllib.request.getproxies()
        url = proxies.get(self.core.scheme.decode()) or proxies.get("all")
        if not url:
            return None
        return httpx.Proxy(url if "://" in url else f"http://{url}")


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


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine, by its address or its name."""
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


@attrs.frozen
class Outgoing:
    """A request, for either way out."""

    origin: Origin
    method: str
    target: str = attrs.field(repr=False)
    """Not shown: a presigned link's is a credential."""
    headers: list[tuple[bytes, bytes]] = attrs.field(repr=False)
    """The key among them."""
    content: bytes | None = attrs.field(repr=False)
    timeout: float
    """Seconds for each step."""
    patience: float | None = None
    """Seconds without a byte of the answer, where that is another time."""

    def for_lane(self) -> httpcore.Request:
        """For one of httpcore's connections."""
        core = self.origin.core
        return httpcore.Request(
            self.method.encode(),
            httpcore.URL(
                scheme=core.scheme, host=core.host, port=core.port, target=self.target.encode()
            ),
            headers=[
                (b"host", self.origin.host),
                *self.headers,
                *([(b"content-length", b"%d" % len(self.content))] if self.content else ()),
            ],
            content=self.content,
            extensions=self._extensions(),
        )

    def for_client(self) -> httpx.Request:
        """For a caller's httpx client."""
        return httpx.Request(
            self.method,
            httpx.URL(self.origin.base_url).copy_with(raw_path=self.target.encode()),
            headers=self.headers,
            content=self.content,
            extensions=self._extensions(),
        )

    def _extensions(self) -> dict[str, dict[str, float]]:
        steps = ("connect", "read", "write", "pool")
        timeouts: dict[str, float] = dict.fromkeys(steps, self.timeout)
        if self.patience is not None:
            timeouts["read"] = self.patience
        return {"timeout": timeouts}


@attrs.frozen
class Answer:
    """A whole answer, from either way out."""

    status: int
    headers: Sequence[tuple[bytes, bytes]] = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)

    @classmethod
    def decoded(cls, status: int, headers: Sequence[tuple[bytes, bytes]], content: bytes) -> Answer:
        """From raw *content*, which may be compressed. Raises httpx.DecodingError."""
        if any(name.lower() == b"content-encoding" for name, _ in headers):
            body = httpx.ByteStream(content)
            content = httpx.Response(status, headers=list(headers), stream=body).read()
        return cls(status, headers, content)

    @classmethod
    def of(cls, response: httpx.Response) -> Answer:
        """From a caller's client; without its content when that has not been read."""
        try:
            content = response.content
        except httpx.ResponseNotRead:
            content = b""
        return cls(response.status_code, response.headers.raw, content)

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    def header(self, name: bytes) -> str | None:
        """One of its headers, by its name in lower case."""
        for known, value in self.headers:
            if known.lower() == name:
                return value.decode("latin-1")
        return None


@attrs.frozen
class NoAnswer:
    """Why there is none."""

    sent: bool
    """False when the request surely did not reach the server."""
    text: str
    cause: Exception = attrs.field(repr=False)

    @classmethod
    def of(cls, exc: Exception, key: Secret) -> NoAnswer:
        """From whatever was raised; *key* is masked in its text."""
        text = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        return cls(not isinstance(exc, _NEVER_SENT), key.scrub(text), exc)


FAILURES: Final = (
    httpx.RequestError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)
"""What the HTTP stack raises by itself."""
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.UnsupportedProtocol,
)


def headers(
    key: Secret | None, *, user_agent: bytes, has_body: bool, extra: Mapping[str, str]
) -> list[tuple[bytes, bytes]]:
    """A request's headers; those in *extra* go before the usual ones of their names.

    The key goes from the secret into the list, through no variable; None sends none.
    """
    usual = [*(_JSON_BODY if has_body else _NO_BODY), (b"user-agent", user_agent)]
    # latin-1 is what HTTP takes values for: UTF-8 in its guise passes as it is
    given = {name.lower().encode("ascii"): value.encode("latin-1") for name, value in extra.items()}
    if not _USUAL.isdisjoint(given):
        usual = [(name, value) for name, value in usual if name not in given]
    return [
        *usual,
        *given.items(),
        *(() if key is None else ((b"authorization", b"Bearer " + key.reveal().encode("ascii")),)),
    ]


def check_header(name: str, value: Any, refuse: Callable[[str], Exception]) -> str:
    """A header's value that can be sent; raises ``refuse(reason)`` for any other."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_HEADER_VALUE:
        raise refuse(f"{name} has to be a string of 1 to {MAX_HEADER_VALUE} characters")
    if value != value.strip() or not all(" " <= char <= "~" for char in value):
        raise refuse(f"{name} holds characters that a header can't carry")
    return value


_NO_BODY: Final = [(b"accept", b"application/json"), (b"accept-encoding", b"gzip, deflate")]
_JSON_BODY: Final = [*_NO_BODY, (b"content-type", b"application/json")]
_USUAL: Final = frozenset({b"user-agent", *(name for name, _ in _JSON_BODY)})


def cut(stream: httpcore.NetworkStream | httpcore.AsyncNetworkStream) -> None:
    """End what a thread reads from *stream*, and leave it to that thread to close it."""
    sock = stream.get_extra_info("socket")
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):  # it is closed, or was never connected
            # not a TLS socket's own shutdown, which would forget its state under the thread
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def forget_frames(exc: BaseException) -> None:
    """Drop the tracebacks below *exc*: the HTTP stack's locals hold the Authorization header.

    Dropped and not cleared, which would end whatever task is suspended in one of the frames: an
    exception may be raised in several tasks, and trio's Cancelled has in its context what whoever
    cancelled was handling.
    """
    known: set[FrameType] = set()
    pending: list[BaseException | None] = [exc]
    while pending:
        current = pending.pop()
        frames = [] if current is None else [f for f, _ in traceback.walk_tb(current.__traceback__)]
        # what was caught within the request was caught by a frame that it then was raised through
        if current is None or not frames or (known and frames[0] not in known):
            continue
        known.update(frames)
        current.__traceback__ = None
        pending += [current.__cause__, current.__context__]
