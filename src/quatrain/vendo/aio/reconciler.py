"""An env file that follows the connections, for ``await``; see :mod:`quatrain.vendo.reconciler`."""

from __future__ import annotations

from ..._async.env_catalogue import catalog_default
from ..._async.reconciler import AsyncReconciler, bootstrap, plan, start
from ..._envsync import Diff

__all__ = ["AsyncReconciler", "Diff", "bootstrap", "catalog_default", "plan", "start"]
