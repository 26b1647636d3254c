# Generated from src/quatrain/_async/flights.py by scripts/make_sync.py. Do not edit.
"""Waiting for a fetch that somebody else leads; which there are is in ``_runtime._flights``."""

from __future__ import annotations

import copy
from typing import TypeVar

from .._runtime._flights import Flight
from .._runtime._sync import wait_future
from ..errors import QuatrainError

T = TypeVar("T")


def landed(flight: Flight[T]) -> T | None:
    """What the leader came to; None when it was cancelled. Raises the leader's error."""
    try:
        return wait_future(flight.outcome)
    except QuatrainError as exc:
        raise copy.copy(exc) from exc.__cause__  # others raise it as well, each with its traceback
