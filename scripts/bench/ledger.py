"""The effect ledger on PostgreSQL against that server's own load generator, and against DBOS.

    python scripts/bench/ledger.py                    everything, as a table
    python scripts/bench/ledger.py --only pgbench     some of it
    python scripts/bench/ledger.py --markdown         the README's table
    python scripts/bench/ledger.py --directory /data  where the disk is: /tmp may be memory

All work on one private PostgreSQL server that syncs what it acknowledges, over TCP, in turns. What
is compared is not the same work:

- A protect of the ledger is two durable writes, each with a line of audit: a lease is on the disk
  before anybody acts, and the commit is fenced, so that of several who act one is heard. Here it is
  asked in its own process, without HTTP, and nothing is done between the two.
- pgbench runs the same statements as the ledger's operations are written in, a lease and its line,
  a commit and its line, each pair in a transaction: see ``pgbench.py``. It judges and answers
  nothing, and is written in C. How the ledger sends them is its own affair: one that is alone in
  one trip, where pgbench takes four, and what is in flight together, together.
- A step of DBOS is one durable write, after the step has run: no lease keeps another from running
  it at the same time, nothing is fenced, nobody looks whether it had happened when a run was cut
  short (it is run again), and there is no trail. In exchange it knows the workflow, which it
  resumes at that step by itself. Both ways to run them are tried, threads and an event loop, and
  the faster one counts. ``pip install dbos``, or the dependency group ``bench``.
- Replicas are processes with a hundred in flight between them, on one database.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs
from legs import Leg, compare
from pgbench import PgBench
from postgres_server import NoServerError, Server, postgres
from rows import Aim, Row, as_json, as_markdown, as_text

from quatrain.server.store import Connection, store_on

_GROUPS: Final = ("pgbench", "dbos", "replicas")
_HERE: Final = Path(__file__).parent
_WAYS: Final = ("threads", "loop")
_REPLICAS: Final = 3


@attrs.frozen
class Worker:
    """A process that is told what to do, line by line."""

    process: subprocess.Popen[str]

    def ask(self, *words: object) -> Leg:
        """What came of it."""
        assert self.process.stdin is not None  # noqa: S101  it was made with pipes
        assert self.process.stdout is not None  # noqa: S101
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError(f"{self.process.args!r} has ended")
        rate, cpu = (*map(float, answer), 0.0)[:2]
        return Leg(rate, cpu)


@contextmanager
def worker(script: str, *arguments: object) -> Iterator[Worker]:
    """One that runs *script*."""
    command = [sys.executable, str(_HERE / script), *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Worker(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()


@attrs.define
class Bench:
    """Who competes, and what they did in each round."""

    seconds: float
    pgbench: PgBench
    ours: list[Worker]
    dbos: Worker | None
    done: dict[str, list[Leg]] = attrs.field(factory=dict)

    def round(self, groups: list[str]) -> dict[str, Leg]:
        """Everybody's turn."""
        legs: dict[str, Leg] = {}
        if "pgbench" in groups:
            for number in (1, 100):
                legs[f"ours {number}"] = self.ours[0].ask(number, self.seconds)
                legs[f"pgbench {number}"] = self.pgbench.protects(number, self.seconds)
        if "dbos" in groups and self.dbos is not None:
            for number in (1, 50):
                legs[f"ours {number} beside dbos"] = self.ours[0].ask(number, self.seconds)
                ways = [self.dbos.ask(way, number, self.seconds) for way in _WAYS]
                legs[f"dbos {number}"] = max(ways, key=lambda leg: leg.rate)
        if "replicas" in groups:
            legs["ours 100 beside replicas"] = self.ours[0].ask(100, self.seconds)
            legs["replicas"] = self._at_once()
        return legs

    def _at_once(self) -> Leg:
        shares = [100 // _REPLICAS + (number < 100 % _REPLICAS) for number in range(_REPLICAS)]
        with ThreadPoolExecutor(_REPLICAS) as pool:
            legs = list(pool.map(lambda each, n: each.ask(n, self.seconds), self.ours, shares))
        return Leg(sum(leg.rate for leg in legs), sum(leg.cpu for leg in legs) / len(legs))


def measure(directory: Path, groups: list[str], *, rounds: int, seconds: float) -> list[Row]:
    """The rows. Raises NoServerError."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres(directory))
        url = server.create("ledger")
        realm = _realm(url)
        has_dbos = "dbos" in groups and importlib.util.find_spec("dbos") is not None
        dbos = None
        if has_dbos:
            dbos = stack.enter_context(worker("dbos_steps.py", server.create("dbos")))
        replicas = _REPLICAS if "replicas" in groups else 1
        ours = [
            stack.enter_context(worker("ledger_process.py", url, realm)) for _ in range(replicas)
        ]
        bench = Bench(seconds, PgBench(server, "ledger", realm, directory), ours, dbos)
        rounds_legs = []
        for _ in range(rounds + 1):
            rounds_legs.append(bench.round(groups))
            _settle(server, dbos is not None)
    del rounds_legs[0]  # which warmed up
    legs = {name: [each[name] for each in rounds_legs] for name in rounds_legs[0]}
    return _rows(groups, legs)


def _rows(groups: list[str], legs: dict[str, list[Leg]]) -> list[Row]:
    group = "protects on PostgreSQL"
    rows = []
    if "pgbench" in groups:
        for number, aim in ((1, Aim(at_least=0.7)), (100, Aim(at_least=1.5))):
            mine, other = legs[f"ours {number}"], legs[f"pgbench {number}"]
            rows.append(
                compare(group, f"{number} in flight", mine, "pgbench, the same SQL", other, aim)
            )
    if "dbos" in groups:
        for number, aim in ((1, Aim(at_least=1.0)), (50, Aim(at_least=5.0))):
            mine, other = legs.get(f"ours {number} beside dbos", []), legs.get(f"dbos {number}", [])
            rows.append(compare(group, f"{number} in flight", mine, "steps of DBOS", other, aim))
    if "replicas" in groups:
        many, one = legs["replicas"], legs["ours 100 beside replicas"]
        rows.append(
            compare(group, f"100 in flight, {_REPLICAS} replicas", many, "one process", one, None)
        )
    return rows


def _realm(url: str) -> int:
    def insert(connection: Connection, _now: int, _: None) -> int:
        statement = "INSERT INTO realms (tenant, mode) VALUES ('bench', 'test') RETURNING id"
        (row_id,) = connection.execute(statement).fetchone()
        return int(row_id)

    with store_on(url) as store:
        return store.write_blocking(insert, None)


def _settle(server: Server, has_dbos: bool) -> None:
    """What one round leaves to be tidied up is no part of the next."""
    for database in ("ledger", "dbos") if has_dbos else ("ledger",):
        server.settle(database)


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        try:
            rows = measure(
                Path(directory), options.only, rounds=options.rounds, seconds=options.seconds
            )
        except NoServerError as exc:
            sys.exit(str(exc))
    print(options.show(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", type=_groups, default=list(_GROUPS), metavar=",".join(_GROUPS))
    parser.add_argument("--rounds", type=int, default=7, help="of each comparison")
    parser.add_argument("--seconds", type=int, default=2, help="of each leg of a round, whole ones")
    parser.add_argument(
        "--directory", type=Path, help="whose disk holds the database; not one in memory"
    )
    form = parser.add_mutually_exclusive_group()
    for flag, show in (("--json", as_json), ("--markdown", as_markdown)):
        form.add_argument(flag, dest="show", action="store_const", const=show, default=as_text)
    return parser.parse_args()


def _groups(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(_GROUPS)):
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(_GROUPS)}")
    return names


if __name__ == "__main__":
    main()
