"""What every test process begins with."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from quatrain.server.store import PostgresURL, store_on

from ._postgres import PostgresServer, postgres_server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background of a shell ignores it, as would the processes that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """A database that others are copied from: faster than running every step again."""
    name = postgres.create()
    with store_on(postgres.url(name)):
        return name


@pytest.fixture
def postgres_url(postgres: PostgresServer, migrated: str) -> Iterator[PostgresURL]:
    name = postgres.create(migrated)
    yield PostgresURL.of(postgres.url(name))
    postgres.drop(name)
