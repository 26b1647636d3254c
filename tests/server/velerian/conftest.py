"""Networks whose runs nobody executes unless the test has them executed."""

from __future__ import annotations

import pytest

from quatrain.server.store import SqliteStore

from ._runs import Place, make_place


@pytest.fixture
async def place(store: SqliteStore) -> Place:
    return await make_place(store)
