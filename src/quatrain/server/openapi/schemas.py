"""Python's types as JSON Schema 2020-12: attrs classes that are read, TypedDicts that are written.

No I/O, and the same for the same types. What a class is called in the document is made of its
platform and its name: ``VerityLeaseBody``.
"""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NotRequired, TypeVar, Union

import attrs

from quatrain._wire import MAX_PAYLOAD
from quatrain.server.shapes import JsonObject, JsonText, keywords_of

Schema = dict[str, Any]
Rename = Callable[[str], str]

_NAMES: Final[dict[Any, str]] = {str: "string", int: "integer", bool: "boolean", float: "number"}
_MADE: Final[Any] = attrs.Factory  # a class, though it is typed as a function
_ROOT: Final = "quatrain.server."


class Schemas:
    """Makes schemas; those of classes are kept in ``components``, and referred to."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._types: dict[str, Any] = {}

    def of(self, kind: Any, *, rename: Rename = str) -> Schema:
        """The schema of a type; *rename* is how its platform writes the names of attrs classes."""
        return self._of(kind, rename, {})

    def fields(self, model: type, *, rename: Rename = str) -> dict[str, tuple[Schema, bool]]:
        """Of an attrs class: the schema of each field by its name, and whether it must be there."""
        hints = typing.get_type_hints(model)
        found: dict[str, tuple[Schema, bool]] = {}
        for field in attrs.fields(model):
            schema = self._of_field(field, hints[field.name], rename)
            found[rename(field.name)] = schema, field.default is attrs.NOTHING
        return found

    # -- how it is done ---------------------------------------------------------------------------

    def _of(self, kind: Any, rename: Rename, known: dict[Any, Any]) -> Schema:
        """*known* is what a generic class's type variables stand for."""
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is Annotated:
            inner, mark = args
            schema = {**self._of(inner, rename, known), "format": mark.name}
        elif origin in (Union, types.UnionType):
            schema = _any_of([self._of(arg, rename, known) for arg in args])
        elif origin is Literal:
            schema = _one_of(list(args))
        elif origin is list:
            schema = {"type": "array", "items": self._of(args[0], rename, known)}
        elif origin is dict:
            schema = {"type": "object", **_values(self._of(args[1], rename, known))}
        elif isinstance(kind, TypeVar):
            schema = self._of(known[kind], rename, {})
        elif origin is not None or _is_class(kind):
            schema = self._referred(origin or kind, args, rename)
        else:
            schema = _of_scalar(kind)
        return schema

    def _of_field(self, field: attrs.Attribute[Any], kind: Any, rename: Rename) -> Schema:
        optional = type(None) in typing.get_args(kind)
        if optional:
            (kind,) = [arg for arg in typing.get_args(kind) if arg is not type(None)]
        schema = {**self.of(kind, rename=rename), **keywords_of(field.validator)}
        if "items" in schema and kind is not None and typing.get_origin(kind) is list:
            (item,) = typing.get_args(kind)
            schema["items"] = {**self.of(item, rename=rename), **schema["items"]}
        if optional:
            schema = _any_of([schema, {"type": "null"}])
        default = field.default
        if default not in (attrs.NOTHING, None) and not isinstance(default, _MADE):
            schema["default"] = json.loads(default) if kind is JsonText else default
        return schema

    def _referred(self, kind: Any, args: tuple[Any, ...], rename: Rename) -> Schema:
        name = _name(kind, args)
        told = (kind, args)
        if self._types.setdefault(name, told) != told:
            raise ValueError(f"{told} and {self._types[name]} are both called {name}")
        if name not in self.components:
            self.components[name] = {}  # one that refers to itself ends here
            self.components[name] = self._of_class(kind, args, rename)
        return {"$ref": f"#/components/schemas/{name}"}

    def _of_class(self, kind: Any, args: tuple[Any, ...], rename: Rename) -> Schema:
        properties: dict[str, Schema] = {}
        required: list[str] = []
        if attrs.has(kind):
            for name, (schema, needed) in self.fields(kind, rename=rename).items():
                properties[name] = schema
                required += [name] if needed else []
        else:
            known = dict(zip(getattr(kind, "__parameters__", ()), args, strict=True))
            for name, hint in typing.get_type_hints(kind, include_extras=True).items():
                optional = typing.get_origin(hint) is NotRequired
                inner = typing.get_args(hint)[0] if optional else hint
                properties[name] = self._of(inner, rename, known)
                required += [] if optional else [name]
        return {
            "type": "object",
            "description": first_line(kind),
            "properties": properties,
            **({"required": required} if required else {}),
        }


def first_line(documented: Any) -> str:
    """The first paragraph of a docstring, as one line."""
    text = (documented.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(text.split())


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type) and (attrs.has(kind) or typing.is_typeddict(kind))


def _of_scalar(kind: Any) -> Schema:
    if kind is Any:
        return {}
    if kind is None or kind is type(None):
        return {"type": "null"}
    if kind is JsonText:
        return {"description": f"Any JSON; at most {MAX_PAYLOAD:,} bytes of it."}
    if kind is JsonObject:
        return {"type": "object"}
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return _one_of([member.value for member in kind])
    return {"type": _NAMES[kind]}


def _one_of(values: list[Any]) -> Schema:
    kinds = {_NAMES[type(value)] for value in values}
    (kind,) = kinds  # of one type
    return (
        {"type": kind, "const": values[0]} if len(values) == 1 else {"type": kind, "enum": values}
    )


def _values(schema: Schema) -> Schema:
    return {"additionalProperties": schema} if schema else {}


def _any_of(schemas: list[Schema]) -> Schema:
    """One of them; a null is put into the type where that says the same."""
    null = {"type": "null"}
    others = [schema for schema in schemas if schema != null]
    if len(others) == len(schemas):
        return {"anyOf": schemas}
    (schema, *more) = others
    plain = "type" in schema and not {"enum", "const", "anyOf"} & schema.keys()
    if not (more or {"type", "anyOf", "$ref"} & schema.keys()):
        return schema  # any JSON, and null is some
    if plain and not more:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [*others, null]}


def _name(kind: Any, args: tuple[Any, ...]) -> str:
    module = kind.__module__.removeprefix(_ROOT)
    platform = module.partition(".")[0].capitalize() if "." in module else ""
    of = "And".join(_name(typing.get_origin(arg) or arg, typing.get_args(arg)) for arg in args)
    return f"{platform}{kind.__name__}{'Of' if of else ''}{of}"
