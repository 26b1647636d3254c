"""``quatrain demo``: a worker is killed at the worst moment, and the effect still happens once."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click
from rich.console import Console

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.verity import Effect, VerityClient

from .demo_process import Worker
from .demo_provider import Provider, Receipt
from .output import note, results, waiting
from .tables import effects_table, events_table
from .text import printable

__all__ = ["demo"]

NAMESPACE: Final = "payments"

#: The worker's program; started with the file of the books and the order.
WORKER: Final = (sys.executable, "-P", "-m", "quatrain.cli.demo_worker")


@click.command()
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the ledger in this SQLite file, to look at it later.",
)
def demo(database: Path | None) -> None:
    """See an effect happen exactly once, though its worker is killed. Takes some ten seconds.

    A worker refunds an order. It is killed after the payment provider has paid, before the ledger
    knows. A second worker finds that out and does not pay again; a third gets the recorded answer.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quatrain-demo-")))
        platform = stack.enter_context(EmbeddedPlatform(database or directory / "ledger.db"))
        client = stack.enter_context(
            VerityClient(
                base_url=platform.env["VERITY_BASE_URL"],
                api_key=platform.api_key,
                namespace=NAMESPACE,
            )
        )
        order = f"order_{secrets.token_hex(3)}"
        story = Story(client, platform.env, Provider(directory / "books.jsonl"), order)
        story.tell()
    if database is not None:
        key = f"refund:{order}"
        note(f"Look again: quatrain effects show {key} --database '{printable(str(database))}'")


@attrs.frozen
class Story:
    """One run of the demo; every step is checked, with the provider's books and with the ledger."""

    client: VerityClient
    env: dict[str, str] = attrs.field(repr=False)
    provider: Provider
    order: str
    console: Console = attrs.field(factory=results)

    @property
    def key(self) -> str:
        """The effect's key."""
        return f"refund:{self.order}"

    def tell(self) -> None:
        """Run all of it. Raises ClickException for the first step that did not come out."""
        self.console.print(f"Refunding {self.order}, with three workers.\n")
        self._first_worker_is_killed()
        receipt = self._second_worker_finds_out()
        self._third_worker_gets_the_answer(receipt)
        self._show_the_ledger()
        self.console.print(
            f"\n[bold green]Exactly once.[/] Three attempts, one SIGKILL, one refund: "
            f"{receipt['receipt']} of {receipt['amount']}."
        )

    def _first_worker_is_killed(self) -> None:
        step = "Worker 1 pays, and is killed before it can tell the ledger"
        with self._worker("worker-1", "--stall") as worker, waiting("Worker 1 is at it"):
            said = worker.hear()
            status = worker.kill()
        self._check(step, "it paid", said, {"did": "acted"})
        self._check(step, "SIGKILL ended it", status, -signal.SIGKILL)
        self._check(step, "the provider's books say: refunds", len(self.provider.refunds()), 1)
        self._check(step, "the ledger says", self._effect().status, "RUNNING")
        self._passed(step)

    def _second_worker_finds_out(self) -> Receipt:
        step = "Worker 2 waits for that lease, sees the refund and does not pay again"
        with self._worker("worker-2") as worker:
            self._count_down(worker)
            said = worker.result()
        self._check(step, "it did", _deeds(said), ["observed", "returned"])
        refunds = self.provider.refunds()
        self._check(step, "the provider's books say: refunds", len(refunds), 1)
        self._check(step, "it returned", said[-1]["receipt"], refunds[0])
        effect = self._effect()
        outcome = (effect.status, effect.source, effect.result)
        self._check(step, "the ledger says", outcome, ("COMMITTED", "observed", refunds[0]))
        self._passed(step)
        return refunds[0]

    def _third_worker_gets_the_answer(self, receipt: Receipt) -> None:
        step = "Worker 3 gets the recorded answer, and neither pays nor looks"
        with self._worker("worker-3") as worker, waiting("Worker 3 is at it"):
            said = worker.result()
        self._check(step, "it did", _deeds(said), ["returned"])
        self._check(step, "it returned", said[-1]["receipt"], receipt)
        self._check(step, "the provider's books say: refunds", len(self.provider.refunds()), 1)
        self._passed(step)

    def _show_the_ledger(self) -> None:
        step = "The audit trail tells it the same way"
        events = self.client.effects.events(self.key)
        # an observation is reported on the side, and a slow machine may have renewed a lease
        told = [e.type for e in events if e.type not in {"OBSERVE_HIT", "LEASE_RENEWED"}]
        expected = ["LEASE_GRANTED", "LEASE_EXPIRED", "LEASE_GRANTED", "COMMITTED"]
        self._check(step, "it says", told, expected)
        self._passed(step)
        self.console.print()
        self.console.print(effects_table([self._effect()]))
        self.console.print(events_table(events))

    def _count_down(self, worker: Worker) -> None:
        until = datetime.fromisoformat(self._effect().lease_expires_at or "")
        with waiting("Worker 2 is waiting") as status:
            while not worker.ended(0.1):
                left = (until - datetime.now(UTC)).total_seconds()
                if left > 0:
                    status.update(f"Worker 2 is waiting: the lease runs out in {left:.1f} s")

    def _effect(self) -> Effect:
        return self.client.effects.get(self.key)

    def _worker(self, agent: str, *options: str) -> Worker:
        command = [*WORKER, str(self.provider.books), self.order, "--agent", agent, *options]
        return Worker(command, {**os.environ, **self.env})

    def _check(self, step: str, what: str, found: object, expected: object) -> None:
        if found != expected:
            raise click.ClickException(
                f"the demo failed at: {step}. {what} {found!r}, and not {expected!r}"
            )

    def _passed(self, step: str) -> None:
        self.console.print(f"[green]ok[/]  {step}.")


def _deeds(said: list[dict[str, Any]]) -> list[Any]:
    return [line.get("did") for line in said]
