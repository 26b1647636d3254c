"""A typed endpoint: its function's signature says what it takes and answers, and it gets no more.

``body`` is read from JSON and ``query`` from the query string, each into the attrs class that it is
annotated with. What does not fit is answered with every fault before the function runs.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

import attrs

from quatrain._wire import camel

from . import jsontext
from .asgi import Receive
from .problems import Fault, validation_failed
from .shapes import Shape, textual

C = TypeVar("C")

Handler = Callable[..., Awaitable[Any]]

_MAX_FIELDS: Final = 50


@attrs.frozen
class Endpoint(Generic[C]):
    """``call`` runs the handler with a platform's context and the request's content."""

    handler: Handler
    body: Shape[Any] | None
    query: Shape[Any] | None
    answer: Any = None
    """The annotation of what the handler answers."""

    async def call(self, context: C, query_string: bytes, receive: Receive) -> Any:
        """What the handler answers; raises ProblemError for content that does not fit."""
        content: dict[str, Any] = {}
        if self.query is not None:
            content["query"] = self.query.read(_parse_query(query_string), "query")
        if self.body is not None:
            content["body"] = self.body.read(jsontext.parse(await read_body(receive)), "body")
        return await self.handler(context, **content)


def endpoint(handler: Handler, *, rename: Callable[[str], str] = camel) -> Endpoint[Any]:
    """Read the handler's annotations, once; *rename* is the platform's way to write names."""
    hints = typing.get_type_hints(handler)
    body, query = hints.get("body"), hints.get("query")
    return Endpoint(
        handler,
        body=None if body is None else Shape(body, rename=rename),
        query=None if query is None else Shape(query, converter=textual, rename=rename),
        answer=hints.get("return"),
    )


async def read_body(receive: Receive) -> bytes:
    """The whole body. How large it may be is the middleware's to say."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    chunks = [body]
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def _parse_query(query_string: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        fault = Fault(
            ("query",), f"is not a query string of UTF-8 and up to {_MAX_FIELDS} fields", "value"
        )
        raise validation_failed([fault]) from None
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        faults = [
            Fault(("query", name), "is given more than once", "value")
            for name in values
            if names.count(name) > 1
        ]
        raise validation_failed(faults)
    return values
