"""Python's types as JSON Schema, and that a schema asks for what the reading of a body does."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

import attrs
import pytest
from jsonschema import Draft202012Validator

from quatrain.server.answers import Time
from quatrain.server.ledger import Status
from quatrain.server.manage import schema as manage
from quatrain.server.openapi.schemas import Schemas
from quatrain.server.problems import ProblemError
from quatrain.server.shapes import (
    IS_TIME,
    NAMES_ONE,
    JsonObject,
    JsonText,
    Shape,
    between,
    keywords_of,
    length,
    unless_none,
)
from quatrain.server.velerian.schema import RunBody
from quatrain.server.velocity import values
from quatrain.server.velocity.records import NewMember, NewTask
from quatrain.server.verity.schema import CommitBody, LeaseBody

T = TypeVar("T")
NULL = JsonText("null")


class Inner(TypedDict):
    """A thing.

    More about it.
    """

    at: Time
    maybe: NotRequired[int]


class Outer(TypedDict, Generic[T]):
    """Things."""

    things: list[T]


@attrs.frozen(kw_only=True)
class Body:
    """What is sent."""

    a_name: str = attrs.field(validator=length(1, 5))
    a_number: int | None = attrs.field(default=None, validator=unless_none(between(1, 9)))
    a_choice: Literal["x", "y"] = "x"
    some: list[str] = attrs.field(factory=list, validator=NAMES_ONE)
    any_json: JsonText = NULL
    an_object: JsonObject | None = None
    when: str | None = attrs.field(default=None, validator=unless_none(IS_TIME))


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (str | None, {"type": ["string", "null"]}),
        (str | int, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        (Literal["a"], {"type": "string", "const": "a"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (
            Literal["a", "b"] | None,
            {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]},
        ),
        (Time, {"type": "string", "format": "date-time"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (dict[str, Any], {"type": "object"}),
        (Any | None, {}),
        (Status, {"type": "string", "enum": [each.value for each in Status]}),
    ],
)
def test_types(kind: Any, schema: dict[str, Any]) -> None:
    """Each as it is in JSON."""
    assert schema == Schemas().of(kind)


def test_an_answer() -> None:
    """A TypedDict is a component, with what must be in it; a generic one is one for each use."""
    schemas = Schemas()
    assert schemas.of(Outer[Inner])["$ref"].endswith("OuterOf" + _called(schemas, "Inner"))
    inner = schemas.components[_called(schemas, "Inner")]
    assert inner == {
        "type": "object",
        "description": "A thing.",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "maybe": {"type": "integer"},
        },
        "required": ["at"],
    }


def _called(schemas: Schemas, name: str) -> str:
    (found,) = [each for each in schemas.components if each.endswith(name) and "Of" not in each]
    return found


def test_a_body() -> None:
    """An attrs class with its validators, in its platform's names."""
    schemas = Schemas()
    schemas.of(Body, rename=lambda name: name.replace("a_", "the_"))
    (body,) = schemas.components.values()
    assert body["required"] == ["the_name"]
    assert body["properties"] == {
        "the_name": {"type": "string", "minLength": 1, "maxLength": 5},
        "the_number": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
        "the_choice": {"type": "string", "enum": ["x", "y"], "default": "x"},
        "some": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "any_json": {"description": "Any JSON; at most 65,536 bytes of it.", "default": None},
        "an_object": {"type": ["object", "null"]},
        "when": {"type": ["string", "null"], "format": "iso-8601"},
    }


def test_two_of_one_name() -> None:
    """Are a mistake: one would be told of as the other."""
    schemas = Schemas()
    schemas.of(Inner)
    other = type("Inner", (), {"__module__": __name__})
    with pytest.raises(ValueError, match="both called"):
        schemas.of(attrs.make_class("Inner", [], class_body={"__module__": other.__module__}))


GOOD: list[tuple[type, dict[str, Any]]] = [
    (NewTask, {"action": "a", "module_source": "L1"}),
    (NewTask, {"action": "\ufeff", "module_source": "L1", "category": "", "deadline": ""}),
    (NewTask, {"action": "a", "module_source": "L1", "category": None, "deadline": "2026-12-01"}),
    (NewTask, {"action": "a" * values.MAX_TEXT, "module_source": "L1", "quadrant": "schedule"}),
    (NewMember, {"name": "Ada", "email": "a@b"}),
    (LeaseBody, {"effectKey": "k", "leaseDurationMs": 5_000, "inputJson": None, "runId": ""}),
    (CommitBody, {"effectKey": "k", "fenceToken": 0, "leaseToken": "", "source": None}),
    (RunBody, {"prompt_text": "a\nb", "attachment_ids": []}),
    (manage.EndpointBody, {"url": "HTTPS://a.example/", "secret": "!" * 16}),
    (manage.TriggerBody, {"event": "team.added", "payload": None}),
]
BAD: list[tuple[type, dict[str, Any]]] = [
    (NewTask, {"action": "a"}),
    (NewTask, {"action": " \t\x1c\x85", "module_source": "L1"}),
    (NewTask, {"action": "a", "module_source": "L1", "category": "fun"}),
    (NewTask, {"action": "a", "module_source": "L1", "deadline": "2026-02-30"}),
    (NewTask, {"action": "a" * (values.MAX_TEXT + 1), "module_source": "L1"}),
    (NewMember, {"name": "Ada", "email": "nobody"}),
    (LeaseBody, {"effectKey": ""}),
    (LeaseBody, {"effectKey": "k", "leaseDurationMs": 4_999}),
    (LeaseBody, {"effectKey": "k", "leaseDurationMs": True}),
    (CommitBody, {"effectKey": "k", "fenceToken": 2**63, "leaseToken": ""}),
    (CommitBody, {"effectKey": "k", "fenceToken": 1, "leaseToken": "", "source": "else"}),
    (RunBody, {"prompt_text": "a\0b"}),
    (RunBody, {"prompt_text": " \n"}),
    (RunBody, {"prompt_text": "a", "attachment_ids": [""]}),
    (RunBody, {"prompt_text": "a", "metadata": []}),
    (manage.EndpointBody, {"url": "ftp://a.example/"}),
    (manage.EndpointBody, {"url": "http://a.example/", "secret": "short"}),
    (manage.EndpointBody, {"url": "http://a.example/", "events": []}),
    (manage.TriggerBody, {"event": "team.added", "payload": [1]}),
]


def _judged(model: type, body: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the schema takes a body, and whether the reading of it does."""
    rename = Shape(model).rename if "effectKey" in body else str
    schemas = Schemas()
    schema = {**schemas.of(model, rename=rename), "components": {"schemas": schemas.components}}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    try:
        Shape(model, rename=rename).read(body, "body")
    except ProblemError:
        return validator.is_valid(body), False
    return validator.is_valid(body), True


@pytest.mark.parametrize(("model", "body"), GOOD)
def test_what_is_taken(model: type, body: dict[str, Any]) -> None:
    """Is right by its schema, too: it is never the stricter one."""
    assert (True, True) == _judged(model, body)


@pytest.mark.parametrize(("model", "body"), BAD)
def test_what_is_refused(model: type, body: dict[str, Any]) -> None:
    """Is wrong by its schema, too."""
    assert (False, False) == _judged(model, body)


@pytest.mark.parametrize("body", [[], [None], "text", "", 1, True, None])
@pytest.mark.parametrize("model", [manage.VelerianKeyBody, NewTask])
def test_what_is_no_object(model: type, body: Any) -> None:
    """Is no body, though nothing in it may be needed."""
    with pytest.raises(ProblemError, match="body: expected an object") as caught:
        Shape(model, rename=str).read(body, "body")
    assert (422, [("body",)]) == (caught.value.status, [each.loc for each in caught.value.errors])


def test_a_validator_that_says_nothing() -> None:
    """Has no keywords, and neither has none."""
    assert {} == keywords_of(None) == keywords_of(lambda *_: None)
