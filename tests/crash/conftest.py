"""A database, a clock that the test moves, and processes that end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quatrain.server.vendo.sealing import new_key

from ._processes import Site
from ._world import World


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.once)])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    database = tmp_path / "quatrain.db"
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_url")
        monkeypatch.setenv("QUATRAIN_SECRET_KEY", new_key().reveal())
    with Site(tmp_path, database) as site:
        yield site


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")
