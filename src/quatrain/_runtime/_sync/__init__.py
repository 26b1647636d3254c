"""Sync half of the runtime pair, over threads."""

from .daemon import Daemon
from .keeper import (
    SYSTEM_CLOCK,
    Act,
    Ahead,
    Clock,
    Event,
    Fn,
    Keeper,
    Limiter,
    LoopLocal,
    background,
    call,
    finish,
    may_wait_for,
    takes_context,
    wait_future,
)
from .steps import Once, Steps

__all__ = [
    "SYSTEM_CLOCK",
    "Act",
    "Ahead",
    "Clock",
    "Daemon",
    "Event",
    "Fn",
    "Keeper",
    "Limiter",
    "LoopLocal",
    "Once",
    "Steps",
    "background",
    "call",
    "finish",
    "may_wait_for",
    "takes_context",
    "wait_future",
]
