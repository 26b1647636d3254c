"""Answers held against the OpenAPI document, more strictly than it asks for: nothing unlisted."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator

from quatrain.server.openapi.document import document

_COMPONENTS = "#/components/"


class ContractError(AssertionError):
    """An answer that the document does not tell of."""


def check_answer(method: str, path: str, status: int, content_type: str, body: bytes) -> str | None:
    """The id of the operation that a request was for; None for what the document does not have.

    *path* is as it was sent, without a query. Raises ContractError when it does not tell of the
    answer: of its status, of its type, of a field in it.
    """
    found = operation_at(method, path)
    if found is None:
        return None
    name: str = found["operationId"]
    response = found["responses"].get(str(status))
    if response is None:
        raise ContractError(f"{name} answers {status}, of which the document tells nothing")
    media_type = content_type.partition(";")[0]
    content = resolved(response).get("content", {})
    if not content and not body:
        return name
    if media_type not in content:
        raise ContractError(f"{name} answers {status} as {media_type!r}, not as {[*content]}")
    if media_type == "application/json":
        check(name, status, json.loads(body))
    return name


def check_request(method: str, path: str, body: bytes) -> None:
    """Hold a JSON body that was taken against its schema, which may not be too strict.

    Raises ContractError.
    """
    found = operation_at(method, path)
    if found is None or "requestBody" not in found:
        return
    media = found["requestBody"]["content"].get("application/json")
    if media is None:
        return
    faults = [
        error.message for error in validator_of(media["schema"]).iter_errors(json.loads(body))
    ]
    if faults:
        raise ContractError(f"{found['operationId']} took what it should not: {faults[:5]}")


def check(name: str, status: int, value: Any) -> None:
    """Hold the JSON of an operation's answer against its schema; raises ContractError."""
    faults = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(name, status).iter_errors(value)
    ]
    if faults:
        raise ContractError(f"{name} {status}: {faults[:5]}")


def operation_at(method: str, path: str) -> dict[str, Any] | None:
    """The operation that a request is for; plain names count before those in braces."""
    segments = path.split("/")
    matching = [known for known in document()["paths"] if _matches(known, segments)]
    matching.sort(key=lambda known: known.count("{"))
    for known in matching:
        found: dict[str, Any] | None = document()["paths"][known].get(method.lower())
        if found is not None:
            return found
    return None


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """A response, or what it refers to."""
    reference = value.get("$ref")
    if reference is None:
        return value
    found: Any = document()["components"]
    for part in reference.removeprefix(_COMPONENTS).split("/"):
        found = found[part]
    return dict(found)


def operations() -> dict[str, dict[str, Any]]:
    """Every operation by its id."""
    return {
        operation["operationId"]: operation
        for item in document()["paths"].values()
        for operation in item.values()
    }


def _matches(known: str, segments: list[str]) -> bool:
    parts = known.split("/")
    if known.startswith("/v1/effects/{"):
        # a namespace may hold slashes
        return segments[:3] == parts[:3] and segments[-1] == parts[-1] and len(segments) > 4
    return len(parts) == len(segments) and all(
        part.startswith("{") or part == segment
        for part, segment in zip(parts, segments, strict=True)
    )


@cache
def _validator(name: str, status: int) -> Validator:
    response = resolved(operations()[name]["responses"][str(status)])
    schema = response["content"]["application/json"]["schema"]
    return validator_of(closed(schema), closed(document()["components"]))


def validator_of(schema: Any, components: Any = None) -> Validator:
    """For a schema of the document."""
    components = document()["components"] if components is None else components
    return Draft202012Validator(
        {"allOf": [schema], "components": components}, format_checker=FormatChecker()
    )


def closed(schema: Any) -> Any:
    """The same with no field besides those that are listed."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        inner["additionalProperties"] = False
    return inner
