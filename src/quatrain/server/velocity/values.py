"""What a founder's data may hold: the checks behind every field that somebody can write.

Each is an attrs validator that raises ValueError. The allowed values are those of the client's
models. Source: contracts, Velocity OS, "Endpoints".
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final, get_args

import attrs

from quatrain.models.velocity import EventType, Scope
from quatrain.server.shapes import Validator, length

MAX_TEXT: Final = 2_000
MAX_NAME: Final = 200
MAX_EMAIL: Final = 320
MAX_CODE: Final = 50

SCOPES: Final[frozenset[str]] = frozenset(get_args(Scope))
EVENTS: Final[dict[str, EventType]] = {event: event for event in get_args(EventType)}

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def filled(at_most: int) -> Validator:
    """Text that says something: blanks alone do not."""
    check_length = length(1, at_most)

    def check(owner: Any, field: attrs.Attribute[Any], value: str) -> None:
        check_length(owner, field, value)
        if not value.strip():
            raise ValueError("must not be blank")
        storable(value)

    return check


def storable(value: str) -> None:
    """Refuse what no UTF-8 text, so no database, can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None


def unless_empty(validator: Validator) -> Validator:
    """For an optional field; ``""`` counts as absent, as null does."""

    def check(owner: Any, field: attrs.Attribute[Any], value: str | None) -> None:
        if value:
            validator(owner, field, value)

    return check


def one_of(allowed: Any) -> Validator:
    """One of a ``Literal``'s values."""
    values: tuple[str, ...] = get_args(allowed)

    def check(_: Any, __: attrs.Attribute[Any], value: str) -> None:
        if value not in values:
            raise ValueError(f"must be one of {', '.join(values)}")

    return check


def day(_: Any, __: attrs.Attribute[Any], value: str) -> None:
    """``YYYY-MM-DD``, and a day that there is."""
    # fromisoformat alone would take a week's date, and one without hyphens
    if _DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return
    raise ValueError("must be a date that there is, as YYYY-MM-DD")


def email(owner: Any, field: attrs.Attribute[Any], value: str) -> None:
    """Not more than an @: whether mail arrives is found out by sending it."""
    filled(MAX_EMAIL)(owner, field, value)
    if "@" not in value:
        raise ValueError("must hold an @")


def none_if_empty(value: str | None) -> str | None:
    """A converter: the client sends ``""`` for what it was not given."""
    return value or None


def empty_if_none(value: str | None) -> str:
    """A converter for text that is never null."""
    return value or ""
