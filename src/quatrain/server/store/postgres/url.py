"""Where a PostgreSQL database is: an address that holds a password, and shows none."""

from __future__ import annotations

import re
from typing import Final, Self

import attrs

from quatrain._secret import Secret
from quatrain.errors import ConfigError

_SCHEMES: Final = ("postgresql://", "postgres://")
_HOST: Final = r"(?:[\w.\-%]*|\[[0-9A-Fa-f:.%\w]*\])(?::\d+)?"
_PLACE: Final = re.compile(rf"{_HOST}(?:,{_HOST})*(?:/[^/?#@:]*)?", re.ASCII)
_HIDDEN: Final = "…"


@attrs.frozen(repr=False)
class PostgresURL:
    """``postgresql://user:password@host:5432/name?sslmode=…``, as libpq takes it."""

    secret: Secret = attrs.field(repr=False)
    """All of it."""

    @classmethod
    def is_one(cls, text: str) -> bool:
        """Whether *text* is meant as such an address, and not as a file's name."""
        return text.lower().startswith(_SCHEMES)

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises ConfigError, which does not repeat it: it holds a password."""
        if not cls.is_one(text) or not text.isprintable() or " " in text:
            raise ConfigError(
                "the database's address is none: postgresql://USER:PASSWORD@HOST:5432/NAME,"
                " in which other characters are written as %20"
            )
        return cls(Secret(text))

    def __str__(self) -> str:
        """The hosts and the database's name: neither who nor a password, nor what is set."""
        head, _, options = self.secret.reveal().partition("://")[2].partition("?")
        if "@" not in head and "@" in options:
            return f"postgresql://{_HIDDEN}"  # perhaps of a password that holds a question mark
        place = head.rpartition("@")[2]
        return f"postgresql://{place if _PLACE.fullmatch(place) else _HIDDEN}"

    def __repr__(self) -> str:
        return f"<PostgresURL {self}>"
