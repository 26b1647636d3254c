"""What a new database is filled with: once, by whoever opens it first."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from quatrain.errors import ConfigError
from quatrain.server import Settings, create_app
from quatrain.server.store import Store, store_on
from quatrain.server.velocity import Account, BusinessData, sample, seeding

from .._support import as_argument
from ._support import change, rows

_OPEN = """
import asyncio, sys
from quatrain.server import Settings, create_app

async def main():
    app = create_app(Settings(database=sys.argv[1], seed=sys.argv[2] or None))
    sys.stdin.readline()  # all at once
    async with app.router.lifespan_context(app):
        pass

asyncio.run(main())
"""

TABLES = ("accounts", "modules", "offers", "team", "partnerships", "tasks", "programs", "installs")


@asynccontextmanager
async def running(database: Path, **options: Any) -> AsyncIterator[Starlette]:
    app = create_app(Settings(database=database, **options))
    async with app.router.lifespan_context(app):
        yield app


def counts(store: Store) -> dict[str, int]:
    """Rows of every table that the seed fills."""
    return {table: rows(store, f"SELECT count(*) FROM velocity_{table}")[0][0] for table in TABLES}


def race(database: Path, *seeds: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _OPEN, as_argument(database), seed],
            stdin=subprocess.PIPE,
        )
        for seed in seeds
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    assert [0] * len(seeds) == [racer.wait(60) for racer in racers]


ONCE = dict(zip(TABLES, (1, 5, 2, 3, 2, 7, 2, 1), strict=True))


async def test_a_new_database_gets_the_demo(database: Path) -> None:
    """The tenant "local", and an extension of which nobody has the key."""
    async with running(database) as app:
        account = await app.state.velocity.account_of("local")
        assert ("Maya Okafor", "academy") == (account.name, account.tier)
        assert ONCE == counts(app.state.store)
        (install,) = app.state.installs.list(account.id)
        assert ("local", "Local extension", "", False) == (
            install.slug,
            install.name,
            install.hint,
            install.sandbox,
        )
        facts = rows(app.state.store, "SELECT * FROM facts WHERE name = 'seed'")
        assert [("seed", "demo")] == facts


async def test_it_gets_nothing_when_nothing_is_wanted(database: Path) -> None:
    """Then or later: the decision stands in the database."""
    for seed in (None, "demo"):
        async with running(database, seed=seed) as app:
            assert dict.fromkeys(TABLES, 0) == counts(app.state.store)
            assert [("seed", "none")] == rows(app.state.store, "SELECT * FROM facts")


async def test_what_was_deleted_stays_so(database: Path) -> None:
    """A database is new once."""
    async with running(database) as app:
        change(app.state.store, "DELETE FROM velocity_tasks")
    async with running(database) as app:
        assert {**ONCE, "tasks": 0} == counts(app.state.store)


def test_processes_may_race_for_the_seed(database: Path) -> None:
    """It happens once."""
    race(database, "demo", "demo", "demo")
    with store_on(database) as store:
        assert ONCE == counts(store)


def test_processes_may_race_with_different_wishes(database: Path) -> None:
    """The first to come decides: all of it, or nothing."""
    race(database, "demo", "")
    with store_on(database) as store:
        ((seed,),) = rows(store, "SELECT value FROM facts WHERE name = 'seed'")
        expected = ONCE if seed == "demo" else dict.fromkeys(TABLES, 0)
        assert expected == counts(store)


async def test_who_decides_second_adds_nothing(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that had looked before the first was done."""
    async with running(database, seed=None):
        pass
    monkeypatch.setattr(seeding, "_is_decided", lambda *_: False)
    async with running(database) as app:
        assert dict.fromkeys(TABLES, 0) == counts(app.state.store)


async def test_the_seed_is_one_transaction(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed that fails leaves the database new."""

    def fail() -> sample.Business:
        raise RuntimeError("no sample")

    with monkeypatch.context() as broken:
        broken.setattr(sample, "business", fail)
        with pytest.raises(RuntimeError, match="no sample"):
            async with running(database):
                raise AssertionError
    with store_on(database) as store:
        assert dict.fromkeys(TABLES, 0) == counts(store)
    async with running(database) as app:
        assert ONCE == counts(app.state.store)


async def test_a_database_that_cannot_be_used_is_a_config_error(store: Store) -> None:
    """As it is when it can't be opened: both are found out at the start."""
    store.close()
    with pytest.raises(ConfigError, match="can't be used: the store is closed"):
        await seeding.seed_once(store, "demo")


async def test_an_account_is_filled_once(data: BusinessData, store: Store) -> None:
    """Again changes nothing."""
    account = await data.seed("acme")
    before = counts(store)
    assert account == await data.seed("acme")
    assert before == counts(store)
    demo = sample.business()
    assert (demo.account.name, demo.account.email, demo.account.profile) == (
        account.name,
        account.email,
        account.profile,
    )
    assert list(demo.modules) == await data.modules(account.id)
    assert list(demo.offers) == await data.offers(account.id)


async def test_what_an_account_has_is_kept(data: BusinessData, account: Account) -> None:
    """Its name and its email; and all, when it has any business data."""
    filled = await data.seed("acme")
    assert ("Ann", "ann@acme.example", "academy") == (filled.name, filled.email, filled.tier)
    other = await data.ensure_account("other")
    await data.add_member(other.id, "Bo", "", "")
    assert other == await data.seed("other")
    assert ([], 1) == (await data.modules(other.id), len(await data.team(other.id)))


def test_the_sample_is_coherent() -> None:
    """Times in 2026 and in order; outputs are JSON; tasks come from its modules."""
    demo = sample.business()
    codes = {module.code for module in demo.modules}
    assert {task.module_source for task in demo.tasks} <= codes
    texts = [module.output for module in demo.modules if module.completed_at is not None]
    assert all(isinstance(json.loads(text or ""), dict) for text in texts)
    times = [time for task in demo.tasks for time in (task.created_at, task.updated_at)]
    times += [module.completed_at for module in demo.modules if module.completed_at is not None]
    assert all(1_767_225_600_000 <= time < 1_798_761_600_000 for time in times)
    assert all(task.created_at <= task.updated_at for task in demo.tasks)


def test_there_is_one_seed(database: Path) -> None:
    """ConfigError names the setting."""
    with pytest.raises(ConfigError, match="seed 'big'"):
        Settings(database=database, seed="big")  # type: ignore[arg-type]
