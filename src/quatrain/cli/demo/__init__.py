"""``quatrain demo``: what the platform is for, seen to happen."""

from __future__ import annotations

from .command import demo

__all__ = ["demo"]
