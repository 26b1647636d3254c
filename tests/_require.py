"""Tests of what not every machine has: skipped with the reason, or failed where it is demanded.

``QUATRAIN_REQUIRE`` lists what must be there, by commas: ``postgres,browser,interop``.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest


def missing(what: str, reason: str) -> NoReturn:
    """Skip the test, or the module that is being imported; fail it when *what* is demanded."""
    demanded = os.environ.get("QUATRAIN_REQUIRE", "").split(",")
    if what in {name.strip() for name in demanded}:
        pytest.fail(f"QUATRAIN_REQUIRE demands {what}: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def import_for(what: str, module: str, package: str) -> ModuleType:
    """The *module* of a *package* from PyPI; without it there is no *what*."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        missing(what, f"the package {package} is not installed")
