"""What a simulated grant lets an app do, in words for the person who is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "gmail": ("Read your mail and its attachments", "Send mail in your name"),
    "notion": ("Read the pages and databases that you share with it", "Add pages, and change them"),
    "slack": ("Read the channels that it is invited to", "Post messages as an app"),
}
_ANY: Final = ("Act for you there",)


def asked_for(slug: str) -> tuple[str, ...]:
    """The scopes of an integration that is connected by a grant."""
    return _SCOPES.get(slug, _ANY)
