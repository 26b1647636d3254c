"""The governance API: how it is asked and written to. Source: contracts, Velerian."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

import attrs
import httpx

from .. import _http
from .._address import Address, without
from .._options import CallOptions
from .._structure import Reader
from .._velerian import check_mapping
from .._wire import dumps
from ..errors.velerian import FAMILY, VelerianInputError
from ..models.velerian import EvidenceExport
from .transport import AsyncTransport, Call
from .writes import key_of, write_once

if TYPE_CHECKING:
    from .verity import AsyncVerityClient

T = TypeVar("T")

ROOT: Final = "/api/v2/"
"""What a bare path is below."""
V2: Final = ("api", "v2")
AGENTICX: Final = ("api", "agenticx")

# what the HTTP stack says of a message itself, and could be made to say twice
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
)
_ONCE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods of which a repetition does no more than the first, by HTTP's own rules."""


@attrs.frozen(kw_only=True)
class Ask:
    """A request in a caller's own words."""

    params: Mapping[str, Any] | None = None
    json: Any = attrs.field(default=None, repr=False)
    content: str | bytes | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    timeout: float | None = None
    max_retries: int | None = None
    idempotency_key: str | None = None


class AsyncGovernanceAPI:
    """One GET and one POST of the contract, and any request of a caller's own."""

    def __init__(self, transport: AsyncTransport, *, allow_insecure: bool) -> None:
        self.transport = transport
        self._allow_insecure = allow_insecure
        self.effects: Callable[[], AsyncVerityClient] | None = None
        """The ledger that protects writes, where an umbrella client holds both."""

    async def get(
        self,
        *path: str,
        reads: Reader[T],
        query: Mapping[str, str] | None = None,
        **options: Unpack[CallOptions],
    ) -> T:
        """Read something, below ``/api/v2``."""
        call = Call(
            name=f"velerian.{path[0]}",
            method="GET",
            path=(*V2, *path),
            query=query or {},
            repeatable=True,
            **options,
        )
        return await self.transport.send(call, reads)

    async def post(
        self,
        *path: str,
        body: Mapping[str, Any],
        reads: Reader[T],
        query: Mapping[str, str] | None = None,
        effect_key: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> T:
        """Have something done: once with each idempotency key, or as an effect."""
        call = Call(
            name=f"velerian.{path[2]}",
            method="POST",
            path=path,
            query=query or {},
            body=body,
            # 429 and 5xx are tried again by contract; after no answer a run would be made twice by
            # a platform that knows no idempotency keys, unless the caller relies on them
            repeatable=True,
            repeatable_unanswered=idempotency_key is not None or effect_key is not None,
            timeout=timeout,
            max_retries=max_retries,
        )

        async def send(keyed: Call) -> Mapping[str, Any]:
            return await self.transport.send(keyed, lambda answer: _readable(answer, reads))

        return await write_once(
            call,
            send,
            reads,
            effects=self.effects,
            transport=self.transport,
            family=FAMILY,
            idempotency_key=idempotency_key,
            effect_key=effect_key,
        )

    async def fetch(self, path: str, ask: Ask, reads: Reader[T]) -> T:
        """Read what is at *path*, in a caller's words."""
        return await self.transport.send(self._call("GET", path, ask), reads)

    async def request(self, method: str, path: str, ask: Ask) -> httpx.Response:
        """The answer to a request in a caller's words, as it came."""
        call = self._call(method, path, ask)
        answer, seconds = await self.transport.answer(call)
        return _response(call, answer, seconds)

    def link(self, export: EvidenceExport, **options: Unpack[CallOptions]) -> Call:
        """What an export is fetched with: a presigned link without the key, wherever it leads.

        Raises VelerianInputError for a link that can't be, and a stream from another origin.
        """
        try:
            address = self._address(export.download_url, None)
        except VelerianInputError as exc:
            raise exc.with_traceback(None) from None  # the frames below have the link in the clear
        if export.delivery not in {"presigned", "stream"}:
            known = "presigned and stream are known"
            raise VelerianInputError(f"the export's delivery is {export.delivery!r}: {known}")
        if export.delivery == "stream" and not address.is_at(self.transport.origin):
            raise VelerianInputError("a stream is fetched with the key, and has another origin")
        return Call(
            name="velerian.download",
            method="GET",
            address=address,
            keyless=export.delivery == "presigned",
            # packed, it would have no length to bound, and to show progress by
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
            repeatable=True,
            **options,
        )

    def _call(self, method: str, path: str, ask: Ask) -> Call:
        if not isinstance(method, str) or not re.fullmatch("[A-Za-z]{1,20}", method):
            raise VelerianInputError("a method has to be a word, like GET")
        method = method.upper()
        if method in {"CONNECT", "TRACE"}:
            raise VelerianInputError(f"{method} is no way to ask for anything here")
        address = self._address(path, ask.params)
        ours = address.is_at(self.transport.origin)
        headers, key = _headers(ask, ours=ours)
        given = key is not None
        if key is None and ours and method not in _ONCE:
            key = key_of(None, FAMILY)
        if key is not None:
            headers["idempotency-key"] = key
        content = _content(ask)
        if content is not None:
            usual = "application/octet-stream" if ask.json is None else "application/json"
            headers.setdefault("content-type", usual)
        return Call(
            name="velerian.request",
            method=method,
            address=address,
            headers=headers,
            content=content,
            # only the platform knows its idempotency keys, and another place those it was given
            repeatable=method in _ONCE or key is not None,
            repeatable_unanswered=method in _ONCE or given,
            timeout=ask.timeout,
            max_retries=ask.max_retries,
        )

    def _address(self, text: str, params: Mapping[str, Any] | None) -> Address:
        return Address.parse(
            text,
            base=self.transport.origin,
            root=ROOT,
            allow_insecure=self._allow_insecure,
            refuse=VelerianInputError,
            params=params,
        )


def _readable(answer: Any, reads: Reader[Any]) -> Mapping[str, Any]:
    reads(answer)
    whole: Mapping[str, Any] = answer  # what is no object could not be read
    return whole


def _headers(ask: Ask, *, ours: bool) -> tuple[dict[str, str], str | None]:
    """A caller's headers that can be sent, by their names in lower case; the idempotency key."""
    headers: dict[str, str] = {}
    for name, value in check_mapping("headers", ask.headers or {}).items():
        if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_-]{1,100}", name):
            raise VelerianInputError("a header's name has to be letters, digits and dashes")
        known = name.lower()
        if known in _OWN_HEADERS or (ours and known == "authorization"):
            raise VelerianInputError(f"the header {name} is the client's own to send")
        headers[known] = _http.check_header(name, value, VelerianInputError)
    key = headers.pop("idempotency-key", None)
    if ask.idempotency_key is not None:
        key = key_of(ask.idempotency_key, FAMILY)
    return headers, key


def _content(ask: Ask) -> bytes | None:
    if ask.content is None:
        if ask.json is None:
            return None
        try:
            return dumps(ask.json)
        except (TypeError, ValueError) as exc:
            raise VelerianInputError(f"the request's body is not JSON: {exc}") from None
    if ask.json is not None:
        raise VelerianInputError("a request has one body: pass json or content")
    if not isinstance(ask.content, str | bytes):
        raise VelerianInputError("content has to be bytes or text")
    try:
        return ask.content.encode() if isinstance(ask.content, str) else ask.content
    except UnicodeError:
        raise VelerianInputError("content is no text that UTF-8 can hold") from None


def _response(call: Call, answer: _http.Answer, seconds: float) -> httpx.Response:
    """An answer as httpx has them; its request does not hold the key."""
    assert call.address is not None  # noqa: S101 - a caller's words always name one
    request = httpx.Request(
        call.method,
        call.address.url,
        headers={k: v for k, v in call.headers.items() if k != "authorization"},
        content=call.content,
    )
    dropped = [b"content-encoding", b"transfer-encoding"]  # it is unpacked, and whole
    if answer.header(b"content-encoding") is not None:
        dropped.append(b"content-length")
    headers = without(answer.headers, *dropped)
    response = httpx.Response(
        answer.status, headers=headers, content=answer.content, request=request
    )
    response.elapsed = timedelta(seconds=seconds)
    return response
