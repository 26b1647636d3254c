"""What every platform's answers have."""

from __future__ import annotations

from typing import Any

import attrs


def raw() -> Any:
    """A field for the whole JSON as it came, unknown fields included."""
    return attrs.field(factory=dict, kw_only=True, repr=False, eq=False)
