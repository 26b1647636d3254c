"""A string that does not show itself."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, Self, final

MASK: Final = "**********"


@final
class Secret:
    """A credential: absent from repr, str, format, pickles and tracebacks with locals.

    ``reveal()`` gives the plain text; call it inside the expression that needs it, so that no
    local variable ever holds it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Secret) -> None:
        self._value: str = value.reveal() if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """The plain text."""
        return self._value

    def scrub(self, text: str) -> str:
        """*text* with every occurrence of this secret masked."""
        return text.replace(self._value, MASK) if self._value else text

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a Secret is not pickled"
        raise TypeError(msg)
