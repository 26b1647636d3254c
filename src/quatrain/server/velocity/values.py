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
from quatrain.server.shapes import Validator, keywords_of, length, told

MAX_TEXT: Final = 2_000
MAX_NAME: Final = 200
MAX_EMAIL: Final = 320
MAX_CODE: Final = 50

SCOPES: Final[frozenset[str]] = frozenset(get_args(Scope))
EVENTS: Final[dict[str, EventType]] = {event: event for event in get_args(EventType)}

NOT_BLANK: Final = r"[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A character that ``str.strip`` leaves, in every dialect of regular expressions."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def filled(at_most: int) -> Validator:
    """Text that says something: blanks alone do not."""
    check_length = length(1, at_most)

    def check(owner: Any, field: attrs.Attribute[Any], value: str) -> None:
        check_length(owner, field, value)
        if not value.strip():
            raise ValueError("must not be blank")
        storable(value)

    return told(check, minLength=1, maxLength=at_most, pattern=NOT_BLANK)


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

    return told(check, anyOf=[{"maxLength": 0}, keywords_of(validator)])


def one_of(allowed: Any) -> Validator:
    """One of a ``Literal``'s values."""
    values: tuple[str, ...] = get_args(allowed)

    def check(_: Any, __: attrs.Attribute[Any], value: str) -> None:
        if value not in values:
            raise ValueError(f"must be one of {', '.join(values)}")

    return told(check, enum=list(values))


def _day(_: Any, __: attrs.Attribute[Any], value: str) -> None:
    # fromisoformat alone would take a week's date, and one without hyphens
    if _DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return
    raise ValueError("must be a date that there is, as YYYY-MM-DD")


day: Final = told(_day, format="date")
"""``YYYY-MM-DD``, and a day that there is."""


def _email(owner: Any, field: attrs.Attribute[Any], value: str) -> None:
    filled(MAX_EMAIL)(owner, field, value)
    if "@" not in value:
        raise ValueError("must hold an @")


email: Final = told(_email, minLength=1, maxLength=MAX_EMAIL, pattern="@")
"""Not more than an @: whether mail arrives is found out by sending it."""


def none_if_empty(value: str | None) -> str | None:
    """A converter: the client sends ``""`` for what it was not given."""
    return value or None


def empty_if_none(value: str | None) -> str:
    """A converter for text that is never null."""
    return value or ""
