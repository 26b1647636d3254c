"""A plain script: run it again after it was interrupted, and it goes on where it stopped.

python examples/sync_script.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from quatrain import Client

CUSTOMERS = ("ada", "grace", "katherine", "margaret")


def send_invoices(database: Path, customers: Iterable[str], outbox: list[str]) -> None:
    """Send June's invoice to each customer, once."""
    with Client.local(database, namespace="billing") as q:

        @q.verity.protected(key="invoice:2025-06:{customer}")
        def send(customer: str) -> str:
            outbox.append(customer)  # stands for the mail server
            return f"message {len(outbox)}"

        for customer in customers:
            print(f"{customer}: {send(customer)}")


def main() -> None:
    """The script, interrupted and run again."""
    outbox: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory, "quatrain.db")
        print("First run, interrupted after two:")
        send_invoices(database, CUSTOMERS[:2], outbox)
        print("Second run, over all of them:")
        send_invoices(database, CUSTOMERS, outbox)
        print(f"The mail server sent {len(outbox)} invoices to {len(CUSTOMERS)} customers.")
        with Client.local(database) as q:
            for effect in q.verity.effects.iter(namespace="billing", payloads=True):
                print(f"  {effect.effect_key}: {effect.status}, {effect.result!r}")


if __name__ == "__main__":
    main()
