"""A worker is killed at the worst moment, and the effect still happens once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from quatrain.verity import Effect, EffectEvent, VerityClient

from ..output import waiting
from ..tables import effects_table, events_table
from .process import Worker, running
from .provider import Provider, Receipt
from .story import Teller, check

__all__ = ["RefundStory"]

NAMESPACE: Final = "payments"

#: The worker's program; started with the file of the books and the order.
WORKER: Final = (sys.executable, "-P", "-m", "quatrain.cli.demo.worker")


@attrs.frozen
class RefundStory:
    """One run of the demo; every step is checked, with the provider's books and with the ledger."""

    client: VerityClient
    env: dict[str, str] = attrs.field(repr=False)
    provider: Provider
    order: str
    teller: Teller = attrs.field(factory=Teller)

    @property
    def key(self) -> str:
        """The effect's key."""
        return f"refund:{self.order}"

    def tell(self) -> None:
        """Run all of it. Raises ClickException for the first step that did not come out."""
        self.teller.say(f"Refunding {self.order}, with three workers.\n")
        with self.teller.step("Worker 1 pays, and is killed before it can tell the ledger"):
            self._kill_the_first_worker()
        with self.teller.step("Worker 2 waits for that lease, sees the refund, does not pay again"):
            receipt = self._let_the_second_find_out()
        with self.teller.step("Worker 3 gets the recorded answer, and neither pays nor looks"):
            self._ask_with_a_third(receipt)
        with self.teller.step("The audit trail tells the same"):
            events = self._read_the_audit_trail()
        console = self.teller.console
        console.print()
        console.print(effects_table([self._effect()]))
        console.print(events_table(events))
        self.teller.say(
            "\n[bold green]Exactly once.[/] Three attempts, one SIGKILL, one refund: "
            f"{receipt['receipt']} of {receipt['amount']}."
        )

    def _kill_the_first_worker(self) -> None:
        with self._worker("worker-1", "--stall") as worker, waiting("Worker 1 is at it"):
            said = worker.hear()
            status = worker.kill()
        check("it said", said, {"did": "acted"})
        check("it ended with status", status, -signal.SIGKILL)
        check("refunds in the provider's books:", len(self.provider.refunds()), 1)
        check("the ledger says", self._effect().status, "RUNNING")

    def _let_the_second_find_out(self) -> Receipt:
        until = datetime.fromisoformat(self._effect().lease_expires_at or "")
        with self._worker("worker-2") as worker, waiting("Worker 2 is waiting") as spinner:
            while not worker.ended(0.1):
                left = (until - datetime.now(UTC)).total_seconds()
                spinner.update(f"Worker 2 is waiting: {max(0.0, left):.1f} s until that lease ends")
            said = worker.result()
        refunds = self.provider.refunds()
        check("it did", _deeds(said), ["observed", "returned"])
        check("refunds in the provider's books:", len(refunds), 1)
        check("it returned", said[-1].get("receipt"), refunds[0])
        effect = self._effect()
        outcome = (effect.status, effect.source, effect.result)
        check("the ledger says", outcome, ("COMMITTED", "observed", refunds[0]))
        return refunds[0]

    def _ask_with_a_third(self, receipt: Receipt) -> None:
        with self._worker("worker-3") as worker, waiting("Worker 3 is at it"):
            said = worker.result()
        check("it did", _deeds(said), ["returned"])
        check("it returned", said[-1].get("receipt"), receipt)
        check("refunds in the provider's books:", len(self.provider.refunds()), 1)

    def _read_the_audit_trail(self) -> Sequence[EffectEvent]:
        events = self.client.effects.events(self.key)
        # an observation is reported on the side, and a slow machine may have renewed a lease
        told = [e.type for e in events if e.type not in {"OBSERVE_HIT", "LEASE_RENEWED"}]
        check("it says", told, ["LEASE_GRANTED", "LEASE_EXPIRED", "LEASE_GRANTED", "COMMITTED"])
        return events

    def _effect(self) -> Effect:
        return self.client.effects.get(self.key)

    def _worker(self, agent: str, *options: str) -> AbstractContextManager[Worker]:
        command = [*WORKER, str(self.provider.books), self.order, "--agent", agent, *options]
        return running(command, {**os.environ, **self.env})


def _deeds(said: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [line.get("did") for line in said]
