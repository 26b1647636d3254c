"""What the platforms' answers have in common; what each answers stands in its own ``answers``.

An answer is a TypedDict that its renderer is annotated with: the type checker holds the one to the
other, and the OpenAPI document is made from the annotations of the endpoints.
"""

from __future__ import annotations

from typing import Annotated, Generic, NotRequired, TypeAlias, TypedDict, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Format:
    """How a text is written, in the words of JSON Schema."""

    name: str


Time: TypeAlias = Annotated[str, Format("date-time")]
"""ISO-8601, UTC, to the millisecond."""
Day: TypeAlias = Annotated[str, Format("date")]


class Fault(TypedDict):
    """One thing wrong with a request's content: where, what, and what kind of mistake it is."""

    loc: list[str | int]
    msg: str
    type: str


class Items(TypedDict, Generic[T]):
    """A list that is answered whole."""

    items: list[T]


class Page(TypedDict, Generic[T]):
    """A part of a list, and how many there are in all."""

    items: list[T]
    limit: int
    offset: int
    total: int


class Scroll(TypedDict, Generic[T]):
    """A part of a list, and where the next begins."""

    items: list[T]
    next_cursor: str | None


class Problem(TypedDict):
    """Why a request was refused."""

    code: str
    message: str
    request_id: str
    errors: NotRequired[list[Fault]]
