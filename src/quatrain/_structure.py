"""Models from JSON: one configured converter a wire format.

The models are attrs classes in Python's names. A missing optional field and a null both read as
its default, unknown fields stay reachable on ``.raw``, and nothing is coerced: cattrs would turn
None into ``"None"`` and ``"5"`` into 5.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from ._wire import camel
from .models._fields import OFF_WIRE
from .models.verity import LeaseCachedResponse, LeaseGrantedResponse, LeaseResponse

T = TypeVar("T")

Reader = Callable[[Any], T]
"""From an answer's parsed JSON to what its caller gets; raises WireError."""


class WireError(ValueError):
    """The JSON has another shape than the model; the message says where."""


class RefusedAnswerError(Exception):
    """The answer's body says that it is an error, whatever its status says."""


class WireFormat:
    """How a platform writes the names of its fields."""

    def __init__(self, rename: Callable[[str], str]) -> None:
        self._converter = converter = cattrs.Converter()
        converter.register_structure_hook(str, _exactly(str, "a string"))
        converter.register_structure_hook(int, _exactly(int, "an integer"))
        converter.register_structure_hook(bool, _exactly(bool, "true or false"))
        converter.register_structure_hook_func(_is_text, _exactly(str, "a string"))
        converter.register_structure_hook_factory(_is_list, _list_hook)
        converter.register_structure_hook(
            LeaseResponse, lambda data, _: converter.structure(data, _lease_answer(data))
        )
        converter.register_structure_hook_factory(
            attrs.has, lambda cls: _model_hook(cls, converter, rename)
        )

    def structure(self, data: Any, model: type[T]) -> T:
        """*data* as a *model*; raises WireError."""
        try:
            return self._converter.structure(data, model)
        except Exception as exc:  # noqa: BLE001 - cattrs lets through whatever a hook raises
            raise WireError("; ".join(cattrs.transform_error(exc))) from None

    def reads(self, model: type[T]) -> Reader[T]:
        """What takes an answer for a *model*."""
        return functools.partial(self.structure, model=model)


def _exactly(kind: type, name: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        # a bool is an int to Python, and is not one on the wire
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            msg = f"expected {name}, got {type(value).__name__}"
            raise TypeError(msg)
        return value

    return check


def _is_text(kind: Any) -> bool:
    """``Literal["a", "b"] | str | None``: values that are known, and those to come."""
    members = typing.get_args(kind)
    return (
        typing.get_origin(kind) in {typing.Union, types.UnionType}
        and str in members
        and all(
            m in {str, types.NoneType} or typing.get_origin(m) is typing.Literal for m in members
        )
        and any(typing.get_origin(m) is typing.Literal for m in members)
    )


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) is list


def _list_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    build = list_structure_factory(kind, converter)
    check = _exactly(list, "a list")
    # a string has items too, and an object's are its names
    return lambda data, _: build(check(data, _), kind)


def _model_hook(
    cls: Any, converter: cattrs.Converter, rename: Callable[[str], str]
) -> Callable[[Any, Any], Any]:
    fields = attrs.fields(cls)
    names: dict[str, Any] = {
        field.name: override(omit=True)
        if OFF_WIRE in field.metadata
        else override(rename=rename(field.name))
        for field in fields
    }
    build = make_dict_structure_fn(cls, converter, _cattrs_use_alias=False, **names)
    required = {rename(field.name) for field in fields if field.default is attrs.NOTHING}
    keeps_raw = any(field.name == "raw" for field in fields)

    def hook(data: Any, kind: Any) -> Any:
        if not isinstance(data, Mapping):
            msg = f"expected an object, got {type(data).__name__}"
            raise TypeError(msg)
        given = data
        if None in data.values():
            given = {k: v for k, v in data.items() if v is not None or k in required}
        model = build(given, kind)
        if keeps_raw:
            object.__setattr__(model, "raw", data)
        return model

    return hook


def _lease_answer(data: Any) -> type[LeaseGrantedResponse | LeaseCachedResponse]:
    status = data.get("status") if isinstance(data, Mapping) else None
    if status == "granted":
        return LeaseGrantedResponse
    if status in {"cached_completed", "cached_failed"}:
        return LeaseCachedResponse
    # a status to come could mean anything: to guess would be to act, or not to
    msg = f"a lease can't be {status!r}"
    raise ValueError(msg)


CAMEL_CASE: Final = WireFormat(camel)
"""The effect ledger's."""
SNAKE_CASE: Final = WireFormat(str)
"""That of the platforms that write names as Python does."""
