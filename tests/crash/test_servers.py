"""Servers that are killed under load: what they had answered is there, and the file is whole."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import attrs
import pytest

from quatrain.verity import (
    AsyncVerityClient,
    CommitUncertainError,
    ConflictRetryConfig,
    Lease,
    LeaseConflictError,
    VerityError,
    VerityTransportError,
)
from tests._postgres import PostgresServer

from ._audit import Record, audit
from ._processes import SEEDS, Server, Site
from ._worker import LEASE_MS

AT_ONCE = 40
EFFECTS_A_TASK = 40
"""More than a server lives to see."""


@attrs.frozen
class Restart:
    """Restarts the database, as if it had crashed, in place of a server that is killed."""

    postgres: PostgresServer

    def kill(self) -> None:
        """Returns when it takes connections again."""
        self.postgres.stop("immediate")
        self.postgres.start()


@attrs.define
class Load:
    """Tasks that protect effects, and what they were told."""

    acted: Counter[str] = attrs.field(factory=Counter)
    """The world outside: how often each effect was acted on."""
    answered: dict[str, str] = attrs.field(factory=dict)
    """Results of protect."""
    fences: dict[str, int] = attrs.field(factory=dict)
    """The newest that was granted."""
    uncertain: list[CommitUncertainError] = attrs.field(factory=list)
    errors: list[VerityError] = attrs.field(factory=list)
    enough: int = 0
    """Answers after which a server is killed; 0 for none."""
    victim: Server | Restart | None = None

    async def protect(self, client: AsyncVerityClient, key: str) -> None:
        """Note what comes of it. An act returns what only it knows."""

        async def act() -> str:
            self.acted[key] += 1
            await asyncio.sleep(0)
            return f"{key} by attempt {self.acted[key]}"

        def observe() -> str | None:
            return f"{key} by attempt 1" if self.acted[key] else None

        def on_lease(lease: Any) -> None:
            if isinstance(lease, Lease):
                self.fences[key] = lease.fence_token

        self.answered[key] = await client.protect(
            key, act=act, observe=observe, on_lease=on_lease, lease_duration_ms=LEASE_MS
        )
        if self.victim is not None and len(self.answered) >= self.enough:
            victim, self.victim = self.victim, None
            # from within the load: whatever the others are doing is cut off
            victim.kill()

    async def run(self, clients: Sequence[AsyncVerityClient], keys: Sequence[str]) -> None:
        """Protect all *keys*, many at a time; a client whose server is dead is left."""

        async def go_on(number: int) -> None:
            mine = clients[number % len(clients) :] or clients
            for key in keys[number::AT_ONCE]:
                try:
                    await self.protect(mine[0], key)
                except CommitUncertainError as exc:
                    self.uncertain.append(exc)
                    mine = mine[1:]
                except LeaseConflictError:
                    pass
                except VerityTransportError as exc:
                    self.errors.append(exc)
                    mine = mine[1:]
                if not mine:
                    return

        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(go_on(number))

    def check(self, records: dict[str, Record]) -> None:
        """Every answer is in the file; nothing happened that was not leased, and none twice."""
        assert {key: f'"{result}"' for key, result in self.answered.items()} == {
            key: records[key].result for key in self.answered
        }
        assert all(records[key].fence_token >= fence for key, fence in self.fences.items())
        assert self.acted.keys() <= records.keys()
        assert {1} == set(self.acted.values())
        committed = {key for key, record in records.items() if record.status == "COMMITTED"}
        assert committed <= self.acted.keys()


@contextlib.asynccontextmanager
async def open_client(
    site: Site, server: Server, attempts: int
) -> AsyncIterator[AsyncVerityClient]:
    """Of one server; asks so often for a lease that is held."""
    retry = ConflictRetryConfig(max_attempts=attempts, initial_delay_s=0.001, max_delay_s=0.02)
    async with AsyncVerityClient(
        base_url=server.url,
        api_key=site.api_key,
        namespace="crash",
        conflict_retry=retry,
        max_retries=0,
    ) as client:
        yield client


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_answer_is_lost_with_its_server(seed: int, site: Site) -> None:
    """It is started again on the same file: what was uncertain is resolved, the rest goes on."""
    luck = random.Random(seed)
    keys = [f"{seed}-{number}" for number in range(AT_ONCE * EFFECTS_A_TASK)]
    server = site.serve()
    load = Load(enough=luck.randint(1, 400), victim=server)
    async with open_client(site, server, attempts=1) as client:
        await load.run([client], keys)
        assert load.uncertain or load.errors
        load.check(audit(site.database))

        server.start()
        resolved = [await doubt.resolve() for doubt in load.uncertain]
        assert [doubt.result for doubt in load.uncertain] == resolved
        load.answered |= {doubt.effect_key: doubt.result for doubt in load.uncertain}
        load.check(audit(site.database))

        begun = [key for key, record in audit(site.database).items() if record.result is None]
        site.expire_leases()
        await load.run([client], begun)
    records = audit(site.database)
    load.check(records)
    assert {"COMMITTED"} == {record.status for record in records.values()}


@pytest.mark.parametrize("seed", SEEDS[:2])
async def test_of_two_servers_on_one_file_one_is_killed(seed: int, site: Site) -> None:
    """Both are after the same effects; the clients of the dead one go over to the other."""
    luck = random.Random(seed)
    # every effect is wanted by two tasks, which begin with different servers
    keys = [f"{seed}-{number // 2}" for number in range(AT_ONCE * EFFECTS_A_TASK // 4)]
    one, other = site.serve(), site.serve()
    load = Load(enough=luck.randint(20, 200), victim=one)
    async with (
        open_client(site, one, attempts=8) as first,
        open_client(site, other, attempts=8) as second,
    ):
        await load.run([first, second], keys)
        assert load.uncertain or load.errors
        load.check(audit(site.database))
        site.expire_leases()
        await load.run([second], keys)
    records = audit(site.database)
    load.check(records)
    assert dict.fromkeys(keys, "COMMITTED") == {
        key: record.status for key, record in records.items()
    }


@pytest.mark.once
@pytest.mark.parametrize("site", ["postgres"], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
async def test_the_database_is_restarted_under_its_servers(
    seed: int, site: Site, request: pytest.FixtureRequest
) -> None:
    """Calls wait for it; what was answered is there, and every effect happens once."""
    luck = random.Random(seed)
    keys = [f"{seed}-{number // 2}" for number in range(AT_ONCE * EFFECTS_A_TASK // 4)]
    one, other = site.serve(), site.serve()
    restart = Restart(request.getfixturevalue("postgres"))
    load = Load(enough=luck.randint(20, 200), victim=restart)
    async with (
        open_client(site, one, attempts=8) as first,
        open_client(site, other, attempts=8) as second,
    ):
        await load.run([first, second], keys)
        load.check(audit(site.database))
        load.answered |= {doubt.effect_key: await doubt.resolve() for doubt in load.uncertain}
        site.expire_leases()
        await load.run([second, first], keys)
    records = audit(site.database)
    load.check(records)
    assert dict.fromkeys(keys, "COMMITTED") == {
        key: record.status for key, record in records.items()
    }
