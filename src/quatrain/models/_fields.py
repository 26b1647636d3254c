"""Fields of answers that are no fields of the wire: they tell of the answer as a whole."""

from __future__ import annotations

from typing import Any, Final

import attrs

OFF_WIRE: Final = "quatrain.off_wire"
"""The key of such a field's metadata."""


def raw() -> Any:
    """For the whole JSON as it came, unknown fields included."""
    return _off_wire(factory=dict)


def sandbox() -> Any:
    """For whether the answer was a sandbox's dummy data."""
    return _off_wire(default=False)


def _off_wire(**options: Any) -> Any:
    return attrs.field(kw_only=True, repr=False, eq=False, metadata={OFF_WIRE: True}, **options)
