"""Models from JSON: one configured converter a wire format.

The models are attrs classes in Python's names; the ledger's wire is camelCase. A missing optional
field and a null both read as None, unknown fields stay reachable on ``.raw``, and nothing is
coerced: cattrs would turn None into ``"None"`` and ``"5"`` into 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from ._wire import camel
from .models.verity import LeaseCachedResponse, LeaseGrantedResponse, LeaseResponse

T = TypeVar("T")


class WireError(ValueError):
    """The JSON has another shape than the model; the message says where."""


def structure(data: Any, model: type[T]) -> T:
    """*data* as a *model*; raises WireError."""
    try:
        return _camel_case.structure(data, model)
    except Exception as exc:  # noqa: BLE001 - cattrs lets through whatever a hook raises
        raise WireError("; ".join(cattrs.transform_error(exc))) from None


def _exactly(kind: type, name: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        # a bool is an int to Python, and is not one on the wire
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            msg = f"expected {name}, got {type(value).__name__}"
            raise TypeError(msg)
        return value

    return check


def _model_hook(cls: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    names: dict[str, Any] = {
        f.name: override(rename=camel(f.name)) for f in attrs.fields(cls) if f.name != "raw"
    }
    keeps_raw = any(field.name == "raw" for field in attrs.fields(cls))
    if keeps_raw:
        names["raw"] = override(omit=True)
    build = make_dict_structure_fn(cls, converter, _cattrs_use_alias=False, **names)

    def hook(data: Any, kind: Any) -> Any:
        if not isinstance(data, Mapping):
            msg = f"expected an object, got {type(data).__name__}"
            raise TypeError(msg)
        model = build(data, kind)
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


def _make_camel_case() -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_structure_hook(str, _exactly(str, "a string"))
    converter.register_structure_hook(int, _exactly(int, "an integer"))
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook(
        LeaseResponse, lambda data, _: converter.structure(data, _lease_answer(data))
    )
    converter.register_structure_hook_factory(attrs.has, lambda cls: _model_hook(cls, converter))
    return converter


_camel_case: Final = _make_camel_case()
