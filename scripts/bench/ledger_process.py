"""The ledger on PostgreSQL in a process of its own: told what to do, it prints what it did.

    python scripts/bench/ledger_process.py postgresql://… REALM

Each line of its input is how many in flight and for how many seconds; each line of its output is
protects a second and seconds of processor time a protect. Several such processes are replicas.
"""

from __future__ import annotations

import asyncio
import sys

from protects import protects

from quatrain.server.ledger import Ledger
from quatrain.server.store import store_on


def main() -> None:
    """Serve."""
    url, realm = sys.argv[1:]
    with store_on(url) as store:
        ledger = Ledger(store)
        for line in sys.stdin:
            in_flight, seconds = line.split()
            leg = asyncio.run(protects(ledger, int(realm), int(in_flight), float(seconds)))
            print(leg.rate, leg.cpu, flush=True)


if __name__ == "__main__":
    main()
