"""Everything dies, again and again: replicas, workers and the database under them.

``QUATRAIN_CHAOS=20`` makes it so many times as large, ``QUATRAIN_SEED`` another one. Its figures
are shown with ``--log-cli-level=INFO``.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from quatrain.verity import VerityClient
from tests._postgres import PostgresServer, postgres_server

from ._balancer import Balancer
from ._crowd import FAILED, LEARNT, NAMESPACE, Orders, read_log
from ._fenced import FencedWorld
from ._processes import PATIENCE
from ._replicas import Cluster

_log = logging.getLogger(__name__)

SCALE = int(os.environ.get("QUATRAIN_CHAOS", "1"))
SEED = int(os.environ.get("QUATRAIN_SEED", "7"))
REPLICAS = 3
FLAVOURS = ["async", "sync", "async", "sync"]
"""Of the processes with clients."""
DYING = 2
"""So many of them kill themselves in the middle of it, too; the others go on."""
CLIENTS = 15
"""In each of them."""
EFFECTS = 300 * SCALE
WANTED = 3
"""Clients that are after one effect."""
DEATHS = 1 + SCALE // 5
"""Of each replica, each process with clients, and the database."""

pytestmark = pytest.mark.once


@pytest.fixture
def durable() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, that writes as in production."""
    with postgres_server(durable=True) as server:
        yield server


@attrs.define
class Chaos:
    """Clients at work on a cluster, and what befalls all of them."""

    cluster: Cluster
    url: str
    luck: random.Random
    keys: list[str]
    crowds: list[subprocess.Popen[bytes]] = attrs.field(factory=list)
    orders: list[Orders] = attrs.field(factory=list)

    @property
    def world(self) -> FencedWorld:
        """Where all effects happen."""
        return FencedWorld(self.cluster.directory / "world")

    def log(self, number: int) -> Path:
        """Of a process with clients."""
        return self.cluster.directory / f"log-{number}"

    def begin(self) -> None:
        """Have all clients work; some processes die right after an action."""
        # clients at the same place in different processes are after the same effects
        groups = len(FLAVOURS) * CLIENTS // WANTED
        for number, flavour in enumerate(FLAVOURS):
            first = number * CLIENTS
            orders = Orders(
                flavour=flavour,
                url=self.url,
                world=str(self.cluster.directory / "world"),
                log=str(self.log(number)),
                progress=self.cluster.progress,
                wanted=[self.keys[(first + n) % groups :: groups] for n in range(CLIENTS)],
                dies_at=self.luck.randint(1, 10) if number < DYING else 0,
            )
            self.orders.append(orders)
            self.crowds.append(self._start(orders))

    def _start(self, orders: Orders) -> subprocess.Popen[bytes]:
        told = json.dumps(attrs.asdict(orders))
        return self.cluster.start("tests.crash._crowd", told, pass_fds=[orders.progress])

    # -- what befalls them ------------------------------------------------------------------------

    def lose_replica(self, number: int) -> None:
        """It is started again at once."""
        replica = self.cluster.replicas[number]
        replica.kill()
        replica.start()
        replica.wait()

    def lose_crowd(self, number: int) -> None:
        """In the middle of all its clients' work, if it has not ended by itself."""
        self.crowds[number].kill()
        self.crowds[number].wait(PATIENCE)
        self.crowds[number] = self._start(self.orders[number])

    def lose_database(self, replica: int) -> None:
        """And a replica, which is started while there is none; clients notice."""
        self.cluster.postgres.stop("immediate")
        self.cluster.replicas[replica].kill()
        self.cluster.replicas[replica].start()
        self.cluster.forget(FAILED)
        self.cluster.heard(FAILED, 5)
        self.cluster.postgres.start()
        self.cluster.replicas[replica].wait()

    def run(self) -> None:
        """All of it, until all effects are known to all who want them."""
        events: list[Callable[[], None]] = []
        for _ in range(DEATHS):
            events += [functools.partial(self.lose_replica, n) for n in range(REPLICAS)]
            events += [functools.partial(self.lose_crowd, n) for n in range(len(FLAVOURS))]
            events.append(functools.partial(self.lose_database, self.luck.randrange(REPLICAS)))
        self.luck.shuffle(events)
        self.world.allow(0)
        self.begin()
        step = EFFECTS // (len(events) + 1)
        for number, event in enumerate(events, 1):
            # so that nobody is done before everything has befallen them, however long that takes
            self.world.allow(number * step)
            self.cluster.heard(LEARNT, self.luck.randint(step // 4, step // 2))
            for dead, crowd in enumerate(self.crowds):
                if crowd.poll() == -signal.SIGKILL:  # by itself
                    self.lose_crowd(dead)
            event()
        self.world.allow(2 * EFFECTS)
        self._end()

    def _end(self) -> None:
        for number in range(len(self.crowds)):
            if self.crowds[number].wait(PATIENCE * SCALE) == -signal.SIGKILL:
                self.lose_crowd(number)
            assert self.crowds[number].wait(PATIENCE * SCALE) == 0, self.cluster.complaints()

    # -- what came of it --------------------------------------------------------------------------

    def told(self, what: str) -> list[tuple[str, Any]]:
        """What all clients noted."""
        logs = [read_log(self.log(number)) for number in range(len(FLAVOURS))]
        return [(key, value) for log in logs for kind, key, value in log if kind == what]


@pytest.fixture
def chaos(durable: PostgresServer, tmp_path: Path) -> Iterator[Chaos]:
    with (
        Cluster(durable, tmp_path, REPLICAS) as cluster,
        Balancer([replica.port for replica in cluster.replicas]) as balancer,
    ):
        keys = [f"effect-{number}" for number in range(EFFECTS)]
        yield Chaos(cluster, balancer.url, random.Random(SEED), keys)


def test_whatever_dies_every_effect_is_done_once(chaos: Chaos) -> None:
    """No acknowledged commit is missing, no fence is given out twice, nothing is done twice."""
    chaos.run()

    # the world's own story: each effect happened once, and nobody was there who held no lease
    story = chaos.world.story()
    done = {key: [line for line in lines if line.what == "done"] for key, lines in story.items()}
    assert dict.fromkeys(chaos.keys, 1) == {key: len(lines) for key, lines in done.items()}
    results = {key: line.result for key, (line,) in done.items()}
    late = [line for lines in story.values() for line in lines if line.what == "late"]
    assert not any(line.result for line in late), "two held a lease of one effect"

    # no client was given a fence that another one had
    assert {1} == set(Counter(chaos.told("leased")).values())

    # what was acknowledged is there, under the fence that it was acknowledged under
    with VerityClient(
        base_url=chaos.url, api_key=chaos.cluster.api_key, namespace=NAMESPACE
    ) as verity:
        effects = [verity.effects.get(key) for key in chaos.keys]
    assert results == {effect.effect_key: effect.result for effect in effects}
    ends = {effect.effect_key: [effect.fence_token, effect.result] for effect in effects}
    learnt = chaos.told("learnt")
    assert dict.fromkeys(chaos.keys, WANTED) == Counter(key for key, _ in learnt)
    assert [] == [(key, end) for key, end in learnt if end != ends[key]]
    assert {"COMMITTED"} == {effect.status for effect in effects}
    sources = Counter(effect.source for effect in effects)
    # some were done by who died before anybody heard of it
    assert {"acted", "observed"} == sources.keys()

    # and what can be told from its trail alone
    status, verdict, errors = chaos.cluster.command(chaos.url, "effects", "audit", "--verify")
    assert (0, "") == (status, errors), verdict
    assert verdict.startswith(f"OK: {EFFECTS:,} effects, ")
    assert "every fence was given out once, every effect done once" in verdict

    deaths = [replica.deaths for replica in chaos.cluster.replicas]
    failures = Counter(kind for kind, _ in chaos.told("failed"))
    _log.info("%s", verdict)
    _log.info("replicas died %s times; %s; calls that failed: %s", deaths, sources, failures)
