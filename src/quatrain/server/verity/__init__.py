"""The Verity platform, local: the effect ledger over HTTP, mounted at ``/v1``."""

from __future__ import annotations

from .api import VerityAPI

__all__ = ["VerityAPI"]
