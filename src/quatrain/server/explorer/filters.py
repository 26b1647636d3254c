"""Which effects a list shows, as its address says it: ``?state=FAILED&namespace=billing``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from quatrain.errors import InputError
from quatrain.server.ledger import Status

_HOUR: Final = 3_600_000
AGES: Final[Mapping[str, tuple[str, int]]] = {
    "newer-1h": ("begun in the last hour", _HOUR),
    "newer-1d": ("begun in the last day", 24 * _HOUR),
    "newer-7d": ("begun in the last 7 days", 7 * 24 * _HOUR),
    "older-10min": ("older than 10 minutes", _HOUR // 6),
    "older-1h": ("older than an hour", _HOUR),
    "older-1d": ("older than a day", 24 * _HOUR),
    "older-7d": ("older than 7 days", 7 * 24 * _HOUR),
}
"""By its name in addresses: in words, and in milliseconds."""

_MAX: Final = 16_384


def _text(_: Any, field: Any, value: str | None) -> None:
    if value is not None and len(value) > _MAX:
        raise InputError(f"{field.name} is longer than {_MAX:,} characters.")


def _field() -> Any:
    return attrs.field(default=None, converter=lambda given: given or None, validator=_text)


@attrs.frozen(kw_only=True)
class Wanted:
    """Which effects; None lets all pass. Raises InputError, in words for the page."""

    state: Status | None = None
    namespace: str | None = _field()
    workflow: str | None = _field()
    case: str | None = _field()
    agent: str | None = _field()
    key: str | None = _field()
    """Part of the effect key, exactly as written."""
    age: str | None = attrs.field(default=None)
    """One of AGES."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """What an address, or a form, asks for; empty fields ask for nothing."""
        state, age = query.get("state", ""), query.get("age", "")
        if state and state not in set(Status):
            raise InputError(f"There is no state “{state[:40]}”.")
        if age and age not in AGES:
            raise InputError(f"There is no age “{age[:40]}”.")
        texts = {
            name: query.get(name) for name in ("namespace", "workflow", "case", "agent", "key")
        }
        return cls(state=Status(state) if state else None, age=age or None, **texts)

    @property
    def fields(self) -> dict[str, str]:
        """What is asked for, by the names in addresses."""
        return {name: str(value) for name, value in attrs.asdict(self).items() if value is not None}

    @property
    def query(self) -> str:
        """The address's query; empty when all pass."""
        return urlencode(self.fields)
