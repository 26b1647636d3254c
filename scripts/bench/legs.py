"""One contestant's turn in a round: how many protects a second, and what each took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import attrs
from rows import Aim, Row, paired


@attrs.frozen
class Leg:
    """What one contestant did in one turn."""

    rate: float
    """Protects a second."""
    cpu: float
    """Seconds of processor time a protect, in this process."""
    server_cpu: float | None = None
    """The same in the ledger's process, where it is another."""


class Watch:
    """Times a leg, from when it is made."""

    def __init__(
        self, seconds: float, server_cpu: Callable[[], float | None] = lambda: None
    ) -> None:
        self._server_cpu = server_cpu
        self._server_before = server_cpu()
        self._cpu = time.process_time()
        self._began = time.perf_counter()
        self._end = self._began + seconds

    def running(self) -> bool:
        """Whether another protect may begin."""
        return time.perf_counter() < self._end

    def leg(self, done: int) -> Leg:
        """What *done* protects took until now."""
        took = time.perf_counter() - self._began
        cpu = time.process_time() - self._cpu
        before, after = self._server_before, self._server_cpu()
        server = None if before is None or after is None else (after - before) / done
        return Leg(done / took, cpu / done, server)


def compare(
    group: str, what: str, ours: Sequence[Leg], against: str, theirs: Sequence[Leg], aim: Aim | None
) -> Row:
    """A row of protects a second; its note tells the processor time."""
    mine, other, ratio = paired([leg.rate for leg in ours], [leg.rate for leg in theirs])
    return Row(
        group=group,
        what=what,
        unit="/s",
        ours=mine,
        against=against,
        theirs=other,
        ratio=ratio,
        aim=aim,
        note=f"processor time a protect {_cpu(ours)} against {_cpu(theirs)} µs"
        if theirs
        else f"the {against} is not installed",
    )


def _cpu(legs: Sequence[Leg]) -> str:
    own = statistics.median(leg.cpu for leg in legs) * 1e6
    servers = [leg.server_cpu for leg in legs if leg.server_cpu is not None]
    if not servers:
        return f"{own:.0f}"
    return f"{own:.0f} + {statistics.median(servers) * 1e6:.0f} (server)"
