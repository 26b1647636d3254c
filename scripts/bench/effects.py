"""How fast effects are protected, and what that takes: ratios, side by side in one run.

    python scripts/bench/effects.py                      everything, as a table
    python scripts/bench/effects.py --only http,import   some of it
    python scripts/bench/effects.py --markdown           the README's table
    python scripts/bench/effects.py --json

Compares with the official client where it is installed (``pip install verityinc-sdk``), with bare
httpx and with bare sqlite3. Absolute numbers are this machine's; the ratios travel. OpenTelemetry
is kept out of the process even where it is installed, as most programs have none: its spans cost
some 150 µs a protect.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import attrs
import clients
import footprint
import in_process
from platform_process import Ledger, served
from rows import Row, as_json, as_markdown, as_text


@attrs.define
class Bench:
    """What the measurements share; the served ledger starts with the first that needs it."""

    rounds: int
    seconds: float
    in_flight: list[int]
    directory: Path
    _stack: ExitStack
    _served: Ledger | None = None

    def ledger(self) -> Ledger:
        """A ledger in another process."""
        if self._served is None:
            self._served = self._stack.enter_context(served(self.directory))
        return self._served

    def http(self) -> list[Row]:
        """Protects a second through HTTP."""
        return clients.measure(
            self.ledger(), in_flight=self.in_flight, rounds=self.rounds, seconds=self.seconds
        )

    def ledger_alone(self) -> list[Row]:
        """Protects a second without HTTP."""
        return in_process.measure(self.directory, rounds=self.rounds, seconds=self.seconds)

    def memory(self) -> list[Row]:
        """Memory of held leases."""
        return footprint.memory(self.ledger())

    def threads(self) -> list[Row]:
        """Threads of sync protects."""
        return footprint.threads(self.ledger())

    def imports(self) -> list[Row]:
        """Time of imports."""
        return footprint.imports(self.directory, rounds=self.rounds)


GROUPS: dict[str, Callable[[Bench], list[Row]]] = {
    "http": Bench.http,
    "ledger": Bench.ledger_alone,
    "memory": Bench.memory,
    "threads": Bench.threads,
    "import": Bench.imports,
}


def main() -> None:
    """Measure and print."""
    options = _options()
    # quatrain looks for it with its first request; the import system refuses what is None here
    sys.modules["opentelemetry"] = None  # type: ignore[assignment]
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory))
        bench = Bench(options.rounds, options.seconds, options.in_flight, Path(directory), stack)
        rows = [row for name in options.only for row in GROUPS[name](bench)]
    print(options.show(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--only", type=_groups, default=list(GROUPS), metavar=",".join(GROUPS))
    parser.add_argument("--rounds", type=_positive, default=7, help="of each comparison")
    parser.add_argument("--seconds", type=_duration, default=0.5, help="of each leg of a round")
    parser.add_argument("--in-flight", type=_numbers, default=[1, 10, 50, 100], metavar="1,10,…")
    parser.add_argument(
        "--directory", type=Path, help="where the databases are made: its disk is measured too"
    )
    form = parser.add_mutually_exclusive_group()
    for flag, show in (("--json", as_json), ("--markdown", as_markdown)):
        form.add_argument(flag, dest="show", action="store_const", const=show, default=as_text)
    return parser.parse_args()


def _groups(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(GROUPS)):
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(GROUPS)}")
    return names


def _numbers(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, at most an hour")
    return seconds


if __name__ == "__main__":
    main()
