"""A worker that refunds an order exactly once, however often it is started.

``quatrain demo`` runs it, and kills it::

    python -m quatrain.cli.demo.worker BOOKS ORDER [--stall]

It finds the ledger through VERITY_BASE_URL and VERITY_API_KEY, and says on standard output what it
does. With ``--stall`` it stops after the provider has paid, before the ledger knows.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from quatrain.cli.demo.provider import Provider, Receipt
from quatrain.verity import ConflictRetryConfig, VerityClient

LEASE_MS = 5_000


def refund_once(verity: VerityClient, provider: Provider, order: str, *, stall: bool) -> Receipt:
    """Refund *order*, unless that has been done."""

    def refund() -> Receipt:
        receipt = provider.refund(order, amount="49.00")
        say("acted")
        if stall:
            sys.stdin.read()  # as if the provider's answer never came
        return receipt

    def find_refund() -> Receipt | None:
        say("observed")
        return provider.find(order)

    return verity.protect(
        f"refund:{order}",
        act=refund,
        observe=find_refund,  # asked first when an earlier attempt was cut off
        effect_name="refund",
        input_json={"order": order},
        lease_duration_ms=LEASE_MS,
    )


def say(what: str, **fields: object) -> None:
    """One line of JSON, at once."""
    print(json.dumps({"did": what, **fields}), flush=True)


def main() -> None:
    """Run the worker."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("books", type=Path)
    arguments.add_argument("order")
    arguments.add_argument("--agent", default="worker")
    arguments.add_argument("--stall", action="store_true")
    options = arguments.parse_args()

    patience = ConflictRetryConfig(max_attempts=60, initial_delay_s=0.25, max_delay_s=0.5)
    with VerityClient(
        namespace="payments", agent_id=options.agent, conflict_retry=patience
    ) as verity:
        provider = Provider(options.books)
        receipt = refund_once(verity, provider, options.order, stall=options.stall)
    say("returned", receipt=receipt)


if __name__ == "__main__":
    main()
