"""Two processes on one database."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.server.store import PostgresURL, store_on

from .._support import ServerClock


@pytest.fixture
def store(postgres_url: PostgresURL, clock: ServerClock) -> Any:
    with store_on(postgres_url, now_ms=clock) as store:
        yield store


@pytest.fixture
def other(postgres_url: PostgresURL, clock: ServerClock) -> Any:
    """A second process's."""
    with store_on(postgres_url, now_ms=clock) as store:
        yield store
