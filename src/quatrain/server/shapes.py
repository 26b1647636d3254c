"""JSON and query strings into attrs classes: quick when right, thorough when wrong.

Nothing is coerced in a body: ``"5"`` is not 5 and a bool is no number, though cattrs by itself
would take both. The quick way stops at the first mistake without saying where; ``explain`` then
goes through the whole value again and lists every one.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, Final, Generic, NewType, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from quatrain._wire import MAX_PAYLOAD, camel

from . import jsontext
from .problems import validation_failed
from .times import ms_of

T = TypeVar("T")

KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    type(None): "null",
}
"""How a message calls what JSON can hold."""


JsonText = NewType("JsonText", str)
"""A body's field that may be any JSON, kept as text. At most 64 KiB, else ValueError."""

JsonObject = NewType("JsonObject", dict[str, Any])
"""A body's field that is an object of any JSON, as it came."""


class Shape(Generic[T]):
    """How one attrs class is read from the wire.

    ``converter`` says how values are taken; ``rename`` is the platform's way to write names.
    """

    def __init__(
        self,
        model: type[T],
        *,
        converter: cattrs.Converter | None = None,
        rename: Callable[[str], str] = camel,
    ) -> None:
        self.model = model
        self.converter = strict if converter is None else converter
        self.rename = rename
        fields: Any = attrs.fields  # typed for attrs classes, of which mypy knows no bound
        names: Any = {f.name: override(rename=rename(f.name)) for f in fields(model)}
        self._structure = make_dict_structure_fn(
            model,
            self.converter,
            _cattrs_use_alias=False,
            _cattrs_detailed_validation=False,
            **names,
        )

    def read(self, data: Any, part: str) -> T:
        """*data* as the model; raises ProblemError 422 with every fault, located in *part*."""
        try:
            # where nothing is needed, cattrs finds nothing in a list or a string, and is content
            if isinstance(data, dict):
                return self._structure(data, self.model)
            raise TypeError(f"expected an object, got {kind_of(data)}")  # noqa: TRY301
        except Exception as exc:
            # late: only a refused request pays for the import and the walk
            from .explain import explain  # noqa: PLC0415

            faults = explain(self, data, (part,))
            if not faults:
                raise
            raise validation_failed(faults) from exc


# -- converters -----------------------------------------------------------------------------------


def kind_of(value: Any) -> str:
    """What *value* is to JSON, for messages."""
    return KINDS.get(type(value), type(value).__name__)


def _string(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {kind_of(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            # JSON can write one half of a surrogate pair; no UTF-8 text, so no database, holds it
            raise ValueError("holds half of a surrogate pair, which is no character") from None
    return value


def _integer(value: Any, _: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected an integer, got {kind_of(value)}")
    return value


def _boolean(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {kind_of(value)}")
    return value


def _payload(value: Any, _: Any) -> JsonText:
    text = jsontext.dump(value)
    # escapes make the kept text longer than what was sent; the limit is meant for the latter
    if len(text) > MAX_PAYLOAD and (taken := jsontext.size(value)) > MAX_PAYLOAD:
        raise ValueError(f"takes {taken:,} bytes as JSON, and at most {MAX_PAYLOAD:,} are kept")
    return JsonText(text)


def _object(value: Any, _: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {kind_of(value)}")
    return JsonObject(value)


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) is list


def _make_strict() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)

    def list_of(kind: Any) -> Callable[[Any, Any], list[Any]]:
        (item,) = typing.get_args(kind)
        structure = converter.get_structure_hook(item)

        def structured(value: Any, _: Any) -> list[Any]:
            if not isinstance(value, list):  # a string can be gone through, too
                raise TypeError(f"expected an array, got {kind_of(value)}")
            return [structure(each, item) for each in value]

        return structured

    converter.register_structure_hook_factory(_is_list, list_of)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(JsonText, _payload)
    converter.register_structure_hook(JsonObject, _object)
    return converter


def _integer_text(value: Any, _: Any) -> int:
    digits = str(value).removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 20):
        raise TypeError("expected an integer")
    return int(value)


def _boolean_text(value: Any, _: Any) -> bool:
    if value not in {"true", "false"}:
        raise TypeError("expected true or false")
    return bool(value == "true")


def _make_textual() -> cattrs.Converter:
    converter = _make_strict()
    converter.register_structure_hook(int, _integer_text)
    converter.register_structure_hook(bool, _boolean_text)
    return converter


strict: Final = _make_strict()
"""For JSON bodies."""
textual: Final = _make_textual()
"""For query strings, where everything is text."""


# -- validators -----------------------------------------------------------------------------------

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]

_KEYWORDS: Final = "json_schema"


def told(check: Validator, **keywords: Any) -> Validator:
    """*check*, with what JSON Schema calls what it asks for: keywords for the OpenAPI document.

    They are never stricter than the check is; what they can't say, they leave out.
    """
    setattr(check, _KEYWORDS, keywords)
    return check


def keywords_of(validator: object) -> dict[str, Any]:
    """What ``told`` was given; nothing for a validator that says nothing."""
    return dict(getattr(validator, _KEYWORDS, {}))


def length(at_least: int, at_most: int) -> Validator:
    """Characters of a string."""

    def check(_: Any, __: attrs.Attribute[Any], value: str) -> None:
        if len(value) < at_least:
            raise ValueError("must not be empty")
        if len(value) > at_most:
            raise ValueError(f"has {len(value):,} characters, and at most {at_most:,} are allowed")

    return told(check, minLength=at_least, maxLength=at_most)


def between(at_least: int, at_most: int) -> Validator:
    """A number's range, both ends included."""

    def check(_: Any, __: attrs.Attribute[Any], value: int) -> None:
        if not at_least <= value <= at_most:
            raise ValueError(f"must be from {at_least:,} to {at_most:,}")

    return told(check, minimum=at_least, maximum=at_most)


def unless_none(validator: Validator) -> Validator:
    """For an optional field."""

    def check(owner: Any, field: attrs.Attribute[Any], value: Any) -> None:
        if value is not None:
            validator(owner, field, value)

    return told(check, **keywords_of(validator))


def _is_time(_: Any, __: attrs.Attribute[Any], value: str) -> None:
    ms_of(value)


IS_TIME: Final = told(_is_time, format="iso-8601")
"""ISO-8601 in any of its forms, which are more than JSON Schema's ``date-time``."""


def _names_one(_: Any, __: attrs.Attribute[Any], value: list[Any]) -> None:
    if not value:
        raise ValueError("must name at least one")


NAMES_ONE: Final = told(_names_one, minItems=1)
"""A list that is not empty."""


INT64: Final = between(-(2**63), 2**63 - 1)
