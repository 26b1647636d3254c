"""Names that people give: of tenants, keys, users and all else that is stored and shown."""

from __future__ import annotations

from typing import Final

from quatrain.errors import InputError

MAX_NAME: Final = 200


def checked(value: str, what: str, at_most: int = MAX_NAME) -> str:
    """A value that can be stored and shown; raises InputError, which says *what* it is."""
    if not value.strip() or len(value) > at_most or not value.isprintable():
        raise InputError(f"{what} is 1 to {at_most} printable characters, not {value[:50]!r}")
    return value
