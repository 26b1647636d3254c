"""Workers that are killed, whatever they are doing: every effect happens exactly once."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ._audit import audit
from ._processes import PATIENCE, Site, kill
from ._worker import ACTED, ANY, Orders
from ._world import World, result_of

EFFECTS = 40
ROUNDS = 3
STEPS = 40
"""A worker dies before it has taken more."""
FLAVOURS = ["async", "sync"]


@pytest.mark.parametrize("place", ["server", "local"])
def test_killed_workers_leave_nothing_done_twice_or_not_at_all(
    place: str, site: Site, world: World, tmp_path: Path
) -> None:
    """Of one server's clients, and of local platforms in several processes on one file."""
    luck = random.Random(place)
    where: dict[str, Any] = {"database": site.address, "clock": str(site.clock.path)}
    if place == "server":
        where = {"url": site.serve().url}

    def work(
        flavour: str, dies_at: tuple[str, int] | None, patience: int
    ) -> subprocess.Popen[bytes]:
        orders = Orders(
            flavour=flavour,
            world=str(tmp_path / "world"),
            effects=EFFECTS,
            seed=luck.randrange(1_000),
            dies_at=dies_at,
            patience=patience,
            **where,
        )
        return site.start_worker(orders)

    deaths = [(ANY, luck.randint(1, STEPS)) for _ in range(ROUNDS - 1)]
    for dies_at in [(ACTED, luck.randint(1, 5)), *deaths]:
        by_itself = work(luck.choice(FLAVOURS), dies_at, patience=2)
        from_outside = work(luck.choice(FLAVOURS), None, patience=2)
        assert from_outside.stdout is not None
        from_outside.stdout.read(luck.randint(1, STEPS))
        kill(from_outside)
        _end(by_itself)
        site.expire_leases()  # and all who held one are dead

    survivors = [work(flavour, None, patience=1_000) for flavour in FLAVOURS]
    assert [0, 0] == [_end(survivor) for survivor in survivors]

    records = audit(site.database)
    assert {f"effect-{n}": 1 for n in range(EFFECTS)} == dict(world.done())
    assert {key: ("COMMITTED", f'"{result_of(key)}"') for key in world.done()} == {
        key: (record.status, record.result) for key, record in records.items()
    }
    # at least the first to die had acted, and told nobody
    assert "observed" in {record.source for record in records.values()}


def _end(process: subprocess.Popen[bytes]) -> int:
    """Its exit code, when it has ended by itself; it must have had nothing to complain about."""
    _, err = process.communicate(timeout=PATIENCE)
    assert b"" == err, err.decode()
    return process.returncode
