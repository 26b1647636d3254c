"""An env file that follows the connections. Source: contracts, Vendo, "Reconciler".

::

    from quatrain.vendo import reconciler

    mapping, restart_handler = reconciler.catalog_default()
    reconciler.bootstrap(".env", mapping)              # before the program reads it
    keeper = reconciler.start(".env", mapping, on_change=restart_handler())
    ...
    keeper.stop()

``quatrain.vendo.aio.reconciler`` has the same for ``await``.
"""

from __future__ import annotations

from .._envsync import Diff
from .._sync.env_catalogue import catalog_default
from .._sync.reconciler import Reconciler, bootstrap, plan, start

__all__ = [
    "Diff",
    "Reconciler",
    "bootstrap",
    "catalog_default",
    "plan",
    "start",
]
