"""The local platform's own API: for the command line, and for test suites of any language.

It does what no vendor's contract has a request for: what a founder does in Velocity OS's own app,
and where webhooks go. Names on this wire are snake_case.
"""

from __future__ import annotations

from .api import ManageAPI
from .call import Services

__all__ = ["ManageAPI", "Services"]
