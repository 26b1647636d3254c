"""Whether a walk of a long audit log takes constant memory while rows are being written.

    python scripts/bench/audit_walk.py                    100,000 rows
    python scripts/bench/audit_walk.py --rows 1000000
    python scripts/bench/audit_walk.py --json, --markdown

Writes the rows into a new database, which a platform in a process of its own serves; walks them
with ``VelerianClient.iter_audit_log`` while a thread adds more, and looks that each row which was
there from the start comes once. One walk is of everything, one of a single action. How much memory
grows is told of both processes, from a tenth of the walk on; Linux only. Ends with 1 when an aim
is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from platform_process import Ledger, served
from rows import Aim, Row, as_json, as_markdown, as_text

from quatrain.server.store import Connection, SqliteStore
from quatrain.server.velerian import audit
from quatrain.server.velerian.keys import AUDIT_READ, MAX_RATE, VelerianKeys
from quatrain.velerian import VelerianClient

_TENANT: Final = "walked"
_ACTION: Final = "bench.row"
_PAGE: Final = 100
_BATCH: Final = 1_000
"""Rows of a transaction, before the walk."""
_PAUSE: Final = 0.002
"""Seconds between two rows that are added during it."""
_LOOK_EVERY: Final = 1_000
"""Rows between two looks at the memory, which cost time."""
_NONE: Final = Aim(at_most=0)
_GROWTH: Final = Aim(at_most=8)
"""MiB, however many rows there are; who keeps a hundred thousand of them needs 100."""


# -- rows -----------------------------------------------------------------------------------------


def _append(connection: Connection, now: int, numbers: range) -> None:
    for number in numbers:
        audit.append(
            connection,
            now,
            _TENANT,
            actor="bench",
            action=_ACTION,
            resource_kind="row",
            resource_id=str(number),
            detail={"number": number},
        )


@contextmanager
def _writing(store: SqliteStore, first: int) -> Iterator[list[int]]:
    """Add rows, one a transaction, for as long as the block lasts; yields the numbers added."""
    added: list[int] = [0]
    failures: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(_PAUSE):
                number = first + added[0]
                store.write_blocking(_append, range(number, number + 1))
                added[0] += 1
        except BaseException as exc:  # noqa: BLE001 - raised below, where it is heard
            failures.append(exc)

    writer = threading.Thread(target=work, name="writer")
    writer.start()
    try:
        yield added
    finally:
        stop.set()
        writer.join()
    if failures:
        raise failures[0]


# -- memory ---------------------------------------------------------------------------------------


def _resident(pid: int | str) -> int | None:
    """Bytes that a process has in memory; None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    lines = status.read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@attrs.define
class _Memory:
    """How much a process has grown since it was first looked at."""

    pid: int | str
    first: int | None = None
    most: int | None = None

    def look(self) -> None:
        """Measure now."""
        now = _resident(self.pid)
        if now is not None:
            self.first = now if self.first is None else self.first
            self.most = now if self.most is None else max(self.most, now)

    @property
    def growth(self) -> float | None:
        """MiB, at the most."""
        if self.first is None or self.most is None:
            return None
        return (self.most - self.first) / 2**20


# -- the walk -------------------------------------------------------------------------------------


@attrs.frozen
class _Walked:
    """What a walk saw."""

    seconds: float
    rows: int
    """Of the log, those that were added meanwhile and those about the key, too."""
    added: int
    """By the thread, until the walk was over."""
    twice: int
    """Rows that came again."""
    missed: int
    """Of those that were there throughout."""
    client: _Memory
    server: _Memory


def _walk(client: VelerianClient, store: SqliteStore, pid: int, there: int, **of: Any) -> _Walked:
    """Walk a log in which the rows up to *there* stand, while more are added."""
    seen = bytearray(there)  # so much however the walk goes, and made before memory is measured
    latest = there - 1  # of those that are added: in their order, each is above the one before
    rows = twice = 0
    memories = _Memory("self"), _Memory(pid)
    with _writing(store, there) as added:
        began = time.perf_counter()
        for row in client.iter_audit_log(page_size=_PAGE, **of):
            rows += 1
            if rows % _LOOK_EVERY == 0 and rows >= there // 10:
                for memory in memories:
                    memory.look()
            if row["action"] != _ACTION:
                continue
            number = int(row["resource_id"])
            if number < there:
                twice += seen[number]
                seen[number] = 1
            else:
                twice += number <= latest
                latest = max(latest, number)
        seconds = time.perf_counter() - began
        meanwhile = added[0]
    return _Walked(seconds, rows, meanwhile, twice, seen.count(0), *memories)


def _told(what: str, walked: _Walked) -> list[Row]:
    def row(name: str, unit: str, value: float | None, aim: Aim | None = None) -> Row:
        return Row(group=what, what=name, unit=unit, ours=value, aim=aim)

    return [
        row("speed", "rows/s", walked.rows / walked.seconds),
        row("rows walked", "rows", walked.rows),
        row("rows added meanwhile", "rows", walked.added, Aim(at_least=1)),
        row("came twice", "rows", walked.twice, _NONE),
        row("missed", "rows", walked.missed, _NONE),
        row("client's memory grew", "MiB", walked.client.growth, _GROWTH),
        row("server's memory grew", "MiB", walked.server.growth, _GROWTH),
    ]


def _measure(directory: Path, rows: int) -> list[Row]:
    with served(directory) as platform, SqliteStore(platform.database) as store:
        for first in range(0, rows, _BATCH):
            store.write_blocking(_append, range(first, min(first + _BATCH, rows)))
        told = []
        for what, of in (("everything", {}), ("one action", {"action": _ACTION})):
            there = _standing(store)
            with _client(platform, store) as client:
                told += _told(what, _walk(client, store, platform.pid, there, **of))
    return told


def _standing(store: SqliteStore) -> int:
    """How many rows have been written."""
    wanted = audit.Filter(action=_ACTION)
    params = {"tenant": _TENANT, "filter": wanted, "limit": 1, "offset": 0}
    found = store.read_blocking(audit.page, {**params, "after": None, "counted": None})
    return found.total


def _client(platform: Ledger, store: SqliteStore) -> VelerianClient:
    # a walk is as fast as it can be, which is not what a key may do by default
    _, secret = VelerianKeys(store).create(_TENANT, scopes=[AUDIT_READ], rate_per_minute=MAX_RATE)
    return VelerianClient(api_key=secret.reveal(), base_url=platform.origin)


def main() -> int:
    """Measure and print; 1 when an aim is missed."""
    options = _options()
    with tempfile.TemporaryDirectory() as directory:
        rows = _measure(Path(directory), options.rows)
    print(options.show(rows))
    return int(any(row.met is False for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="before the walk")
    form = parser.add_mutually_exclusive_group()
    for flag, show in (("--json", as_json), ("--markdown", as_markdown)):
        form.add_argument(flag, dest="show", action="store_const", const=show, default=as_text)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
