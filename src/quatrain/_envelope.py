"""The envelope of Velocity OS's answers. Source: contracts, Velocity OS, "Envelope"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from ._structure import SNAKE_CASE, RefusedAnswerError, WireError
from .models.velocity import Listing, Profile, Response

T = TypeVar("T")

Reader = Callable[[Response], T]
"""From an opened envelope to what its caller gets; raises WireError."""


def opened(body: Any) -> Response:
    """The envelope of a success.

    Raises RefusedAnswerError where it says that it is none, whatever the status, and WireError.
    """
    if not isinstance(body, Mapping):
        msg = f"expected an object, got {type(body).__name__}"
        raise WireError(msg)
    if body.get("ok") is not True:
        raise RefusedAnswerError
    return SNAKE_CASE.structure(body, Response)


def whole(model: type[T]) -> Reader[T]:
    """Reads all the data as one *model*."""
    return lambda response: _marked(SNAKE_CASE.structure(response.data, model), response)


def part(name: str, model: type[T]) -> Reader[T]:
    """Reads what is called so in the data as a *model*."""

    def read(response: Response) -> T:
        if name not in response.data:
            msg = f"there is no {name} in its data"
            raise WireError(msg)
        return _marked(SNAKE_CASE.structure(response.data[name], model), response)

    return read


def listing(name: str, model: type[T]) -> Reader[Listing[T]]:
    """Reads a list of *model*; a null, and none at all, is an empty one."""

    def read(response: Response) -> Listing[T]:
        items = _given(response, name, list) or ()
        found = Listing(_marked(SNAKE_CASE.structure(item, model), response) for item in items)
        found.sandbox = response.sandbox
        return found

    return read


def profile(response: Response) -> Profile:
    """Reads the free form of a profile."""
    found = Profile(_given(response, "profile", dict) or {})
    found.sandbox = response.sandbox
    return found


def _given(response: Response, name: str, kind: type[T]) -> T | None:
    value = response.data.get(name)
    if value is not None and not isinstance(value, kind):
        msg = f"{name} is a {type(value).__name__}, and should be a {kind.__name__}"
        raise WireError(msg)
    return value


def _marked(model: T, response: Response) -> T:
    """*model*, and the models in it, told whether they are the sandbox's."""
    fields: Any = attrs.fields  # typed for attrs classes, of which T is always one
    for field in fields(type(model)):
        value = getattr(model, field.name)
        if field.name == "sandbox":
            object.__setattr__(model, "sandbox", response.sandbox)
        elif isinstance(value, list):
            for item in value:
                if attrs.has(type(item)):
                    _marked(item, response)
    return model
