"""The Explorer: an operator's look into the effect ledger, with a browser, and what may be done.

Every page works without scripts, as links and forms. Nothing is fetched from elsewhere.
"""

from .api import Explorer

__all__ = ["Explorer"]
