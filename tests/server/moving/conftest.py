"""A household's file, copied for each test, and a database without any table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quatrain.server.store import PostgresURL
from tests._postgres import PostgresServer

from ._house import live_in


@pytest.fixture(scope="session")
def household(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that others are copied from."""
    path = tmp_path_factory.mktemp("household") / "quatrain.db"
    live_in(path)
    return path


@pytest.fixture
def source(household: Path, tmp_path: Path) -> Path:
    for each in household.parent.iterdir():
        shutil.copy(each, tmp_path / each.name)
    return tmp_path / household.name


@pytest.fixture
def target(postgres: PostgresServer) -> Iterator[PostgresURL]:
    """A database without any table."""
    name = postgres.create()
    yield PostgresURL.of(postgres.url(name))
    postgres.drop(name)
