"""What other processes have written is heard of."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import Any

import pytest

from quatrain.server.store import Store
from tests._require import import_for

from ._support import FOREVER, until

import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


@pytest.fixture
def many_files() -> Any:
    """So many are open that the next ones have numbers which ``select`` does not take."""
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < 1_024:
        opened.append(os.dup(opened[0]))
    yield
    for number in opened:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


async def test_a_process_hears_what_another_writes(
    store: Store, other: Store, many_files: None
) -> None:
    """Of the tables that it listens to, when it is committed."""
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    end = store.listen("vendo_events", lambda: loop.call_soon_threadsafe(heard.set))
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    await until(other, listening)

    def tell(connection: Any, now: int, _: None) -> None:
        app = "INSERT INTO vendo_apps (tenant, slug, name, created_at) VALUES ('t', ?, 'n', 0)"
        connection.execute(f"{app} ON CONFLICT (tenant, slug) DO NOTHING", ("s",))
        connection.execute(
            "INSERT INTO vendo_events (app_id, user_id, event_id, kind, payload, at)"
            " SELECT id, '', 'e', 'k', '{}', 0 FROM vendo_apps"
        )

    await other.write(tell, None)
    async with asyncio.timeout(FOREVER):
        await heard.wait()
    end()


async def test_who_listens_is_told_once_the_connection_is_back(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something may have been written meanwhile."""
    monkeypatch.setattr("quatrain.server.store.postgres.listener._AGAIN", 0.0)
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    store.listen("velerian_runs", lambda: loop.call_soon_threadsafe(heard.set))
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    await until(other, cut)
    async with asyncio.timeout(FOREVER):
        await heard.wait()
