"""The mistakes in a value that did not fit its shape, each with its place.

Runs only after the quick reading failed, so it may take some time.
"""

from __future__ import annotations

import itertools
import types
import typing
from typing import Any, Final

import attrs

from .problems import Fault
from .shapes import Shape, kind_of

Loc = tuple[str | int, ...]

MAX_OF_A_LIST: Final = 20
"""A body has room for half a million wrong items; telling all would keep everybody else waiting."""


def explain(shape: Shape[Any], data: Any, loc: Loc) -> list[Fault]:
    """The faults of *data* as *shape* would have it, in the order of the shape's fields."""
    return _of_model(shape, shape.model, data, loc)


def _of_model(shape: Shape[Any], model: type, data: Any, loc: Loc) -> list[Fault]:
    if not isinstance(data, dict):
        return [Fault(loc, f"expected an object, got {kind_of(data)}", "type")]
    hints = typing.get_type_hints(model)
    faults: list[Fault] = []
    for field in attrs.fields(model):
        name = shape.rename(field.name)
        here = (*loc, name)
        if name in data:
            wrong = _of_type(shape, hints[field.name], data[name], here)
            faults += wrong or _of_validator(shape, field, hints[field.name], data[name], here)
        elif field.default is attrs.NOTHING:
            faults.append(Fault(here, "is missing", "missing"))
    return faults


def _of_type(shape: Shape[Any], kind: Any, value: Any, loc: Loc) -> list[Fault]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        faults = _of_union(shape, args, value, loc)
    elif origin is typing.Literal:
        faults = _of_choice(args, value, loc)
    elif origin is list:
        faults = _of_list(shape, args[0], value, loc)
    elif isinstance(kind, type) and attrs.has(kind):
        faults = _of_model(shape, kind, value, loc)
    else:
        faults = _of_scalar(shape, kind, value, loc)
    return faults


def _of_scalar(shape: Shape[Any], kind: Any, value: Any, loc: Loc) -> list[Fault]:
    try:
        shape.converter.structure(value, kind)
    except TypeError as exc:
        return [Fault(loc, str(exc), "type")]
    except ValueError as exc:
        return [Fault(loc, str(exc), "value")]
    return []


def _of_choice(choices: tuple[Any, ...], value: Any, loc: Loc) -> list[Fault]:
    if any(type(value) is type(choice) and value == choice for choice in choices):
        return []
    return [Fault(loc, f"must be one of {', '.join(map(str, choices))}", "choice")]


def _of_list(shape: Shape[Any], kind: Any, value: Any, loc: Loc) -> list[Fault]:
    if not isinstance(value, list):
        return [Fault(loc, f"expected an array, got {kind_of(value)}", "type")]
    faults = (
        fault
        for index, item in enumerate(value)
        for fault in _of_type(shape, kind, item, (*loc, index))
    )
    return list(itertools.islice(faults, MAX_OF_A_LIST))


def _of_union(shape: Shape[Any], args: tuple[Any, ...], value: Any, loc: Loc) -> list[Fault]:
    if value is None and type(None) in args:
        return []
    tries = [_of_type(shape, arg, value, loc) for arg in args if arg is not type(None)]
    return min(tries, key=len)  # the reading that comes nearest


def _of_validator(
    shape: Shape[Any], field: attrs.Attribute[Any], kind: Any, value: Any, loc: Loc
) -> list[Fault]:
    if field.validator is None:
        return []
    try:
        field.validator(None, field, shape.converter.structure(value, kind))
    except ValueError as exc:
        return [Fault(loc, str(exc), "value")]
    return []
