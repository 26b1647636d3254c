"""An endpoint as an operation of the OpenAPI document. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import attrs

from quatrain.server.asgi import Streamed
from quatrain.server.endpoint import Endpoint
from quatrain.server.vendo.stream import EventStream

from .examples import EXAMPLES
from .schemas import Schema, Schemas, first_line

REASONS: Final = {
    400: "The request can't be read: its path, its body or its Host.",
    401: "A valid key is needed.",
    402: "That would cost more than there is, or more than a cap allows.",
    403: "The key is known, and does not open this.",
    404: "There is no such thing.",
    409: "The state of things forbids it.",
    410: "It is over.",
    413: "The body is too large.",
    422: "The content does not fit.",
    429: "That was too often, or there are too many.",
    500: "The platform failed.",
    502: "What lies behind the platform failed.",
    503: "The platform can't answer now.",
}
"""What a status means, everywhere."""

_NAMES: Final = re.compile(r"\{([^}]+)\}")
_JSON: Final = "application/json"


@attrs.frozen(kw_only=True)
class Described:
    """One operation, as its platform's table has it."""

    operation_id: str
    endpoint: Endpoint[Any]
    security: list[dict[str, list[str]]]
    """Which schemes let a request in, each with the scopes that it needs; none for anybody."""
    refusals: Collection[int]
    """The statuses that it may be refused with."""
    parameters: tuple[Schema, ...] = ()
    """Besides those of the path and of the query."""
    description: str = ""
    path_names: Mapping[str, Schema] = attrs.field(factory=dict)
    """Schemas of names in the path that are not any text."""


@attrs.frozen
class Dialect:
    """How a platform answers."""

    tag: str
    rename: Callable[[str], str]
    answered: Callable[[Any], Any] = lambda answer: answer
    """The whole answer's type, by the endpoint's."""
    problem: Callable[[int], Any] = lambda status: status
    """The type of an error's answer, by its status."""


class Operations:
    """Writes operations down; their schemas and refusals go to the components."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.responses: dict[str, Schema] = {}

    def write(self, dialect: Dialect, path: str, described: Described) -> Schema:
        """An operation of the document."""
        endpoint = described.endpoint
        words = first_line(endpoint.handler)
        operation: Schema = {
            "operationId": described.operation_id,
            "tags": [dialect.tag],
            "summary": _summary(endpoint.handler.__name__),
            "description": f"{words} {described.description}".strip(),
            "security": described.security,
        }
        parameters = [*self._parameters(dialect, path, described), *described.parameters]
        if parameters:
            operation["parameters"] = parameters
        example = EXAMPLES.get(described.operation_id, {})
        if endpoint.body is not None:
            schema = self.schemas.of(endpoint.body.model, rename=dialect.rename)
            content = {_JSON: _with_example(schema, example.get("body"))}
            operation["requestBody"] = {"required": True, "content": content}
        operation["responses"] = {
            "200": {
                "description": "Done.",
                "headers": {"X-Request-Id": REQUEST_ID},
                "content": self._content(dialect, endpoint.answer, example.get("answer")),
            },
            **{
                str(status): self._refusal(dialect, status) for status in sorted(described.refusals)
            },
        }
        return operation

    def _parameters(self, dialect: Dialect, path: str, described: Described) -> Iterable[Schema]:
        for name in _NAMES.findall(path):
            schema = described.path_names.get(name, {"type": "string", "minLength": 1})
            yield {"name": name, "in": "path", "required": True, "schema": schema}
        query = described.endpoint.query
        if query is None:
            return
        for name, (schema, needed) in self.schemas.fields(
            query.model, rename=dialect.rename
        ).items():
            yield {"name": name, "in": "query", "required": needed, "schema": _not_null(schema)}

    def _content(self, dialect: Dialect, answer: Any, example: Any) -> Schema:
        if answer is Streamed:  # evidence, which is downloaded
            return {_JSON: {"schema": {"type": "object"}}, "application/zip": {"schema": {}}}
        if answer is EventStream:
            return {"text/event-stream": _with_example({"type": "string"}, example)}
        schema = self.schemas.of(dialect.answered(answer))
        return {_JSON: _with_example(schema, example)}

    def _refusal(self, dialect: Dialect, status: int) -> Schema:
        name = f"{dialect.tag.replace(' ', '')}{status}"
        if name not in self.responses:
            headers: Schema = {"X-Request-Id": REQUEST_ID}
            if status == 429:
                headers["Retry-After"] = {
                    "description": "Seconds until it is worth another try.",
                    "schema": {"type": "integer", "minimum": 1},
                }
            content = {_JSON: {"schema": self.schemas.of(dialect.problem(status))}}
            self.responses[name] = {
                "description": REASONS[status],
                "headers": headers,
                "content": content,
            }
        return {"$ref": f"#/components/responses/{name}"}


REQUEST_ID: Final = {"$ref": "#/components/headers/RequestId"}


def _with_example(schema: Schema, example: Any) -> Schema:
    media: Schema = {"schema": schema}
    if example is not None:
        media["examples"] = {"contract": {"value": example}}
    return media


def _not_null(schema: Schema) -> Schema:
    """A query string has no null."""
    if isinstance(schema.get("type"), list):
        (kind, _) = schema["type"]
        return {**schema, "type": kind}
    match schema.get("anyOf"):
        case [one, {"type": "null"}]:
            rest = {name: value for name, value in schema.items() if name != "anyOf"}
            return {**one, **rest}
    return schema


def _summary(name: str) -> str:
    words = name.replace("_", " ").replace("abp", "ABP")
    return words[:1].upper() + words[1:]
