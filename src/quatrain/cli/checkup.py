"""What ``quatrain doctor`` finds, and how: each finding says what is, and how to mend it."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Iterator
from enum import StrEnum
from importlib import metadata
from typing import Final

import attrs

from quatrain._version import __version__

__all__ = ["SKEW_HARMFUL", "SKEW_NOTED", "Finding", "Level", "here"]

SKEW_NOTED: Final = 10.0
SKEW_HARMFUL: Final = 240.0
"""Seconds. Webhooks that seem to be 300 seconds old, or early, are refused."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    area: str
    """here, verity, velocity, velerian, vendo or database."""
    level: Level
    what: str
    fix: str | None = None
    """What to do about it; None where nothing is to be done."""


SQLITE_NEEDED: Final = (3, 35)
"""From this version on SQLite knows RETURNING, which the ledger is built on."""
_PACKAGES: Final = ("httpx", "anyio", "starlette", "uvicorn")


def here() -> Iterator[Finding]:
    """What this machine runs."""
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    python = f"Python {platform.python_version()} on {sys.platform}"
    yield Finding("here", Level.OK, f"quatrain {__version__}, {python}, {packages}")
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= SQLITE_NEEDED:
        yield Finding("here", Level.OK, f"SQLite {version}")
    else:
        needed = ".".join(map(str, SQLITE_NEEDED))
        yield Finding(
            "here",
            Level.ERROR,
            f"SQLite {version} is too old to serve from a file",
            f"use a Python that is built with SQLite {needed} or newer",
        )
