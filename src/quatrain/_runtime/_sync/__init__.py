"""Sync half of the runtime pair, over threads."""

from .ahead import Ahead
from .clock import SYSTEM_CLOCK, Clock
from .daemon import Daemon
from .keeper import Act, Keeper, background, call, takes_context
from .looplocal import LoopLocal
from .steps import Once, Steps
from .waiting import Event, Fn, Limiter, finish, may_wait_for, wait_future

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
