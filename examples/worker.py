"""Worker processes over one directory of jobs; one loses its lease and stops in the middle.

python examples/worker.py

Jobs are files, and there is no broker: every worker sees every job, and the ledger says who does
it. The example starts two workers, and suspends one for longer than its lease lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quatrain import EffectPreviouslyFailedError, LeaseConflictError, LeaseLostError
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.verity import AsyncVerityClient, EffectContext

LEASE_MS = 5_000


class Carrier:
    """Stands for a parcel service; its books are a file."""

    def __init__(self, books: Path, *, seconds: float) -> None:
        self.books = books
        self.seconds = seconds

    async def print_label(self, idempotency_key: str) -> str:
        """Takes its time; asked twice with one key, the carrier prints one label."""
        await asyncio.sleep(self.seconds)
        return f"label-{idempotency_key[-6:]}"

    async def collect(self, order: str, label: str) -> str:
        """Send the van: this can't be undone."""
        with self.books.open("a") as books:
            books.write(f"{order}\n")
        return label

    async def find(self, order: str) -> str | None:
        """Whether the van has been sent."""
        return "sent before" if order in self.books.read_text().split() else None


class Worker:
    """Takes job after job until it is told to stop."""

    def __init__(self, verity: AsyncVerityClient, carrier: Carrier, jobs: Path) -> None:
        self.verity = verity
        self.carrier = carrier
        self.jobs = jobs
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Work. A job that is under way when told to stop is finished."""
        while not self.stop.is_set():
            for job in sorted(self.jobs.glob("*.job")):
                if not self.stop.is_set():
                    await self.take(job)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), 0.2)

    async def take(self, job: Path) -> None:
        """Ship one order, unless another worker is at it or has done it."""
        order = job.stem

        async def ship(effect: EffectContext) -> str:
            self.say(f"{order}: shipping")
            label = await self.carrier.print_label(effect.idempotency_key)
            effect.raise_if_lost()  # before what can't be undone
            collected = await self.carrier.collect(order, label)
            self.say(f"{order}: shipped")
            return collected

        try:
            await self.verity.protect(
                f"ship:{order}",
                act=ship,
                observe=lambda: self.carrier.find(order),
                on_conflict="throw",
                lease_duration_ms=LEASE_MS,
            )
        except LeaseConflictError:
            return  # another worker is at it: look again later
        except LeaseLostError:
            self.say(f"{order}: stopped in the middle, the lease is lost")
            return  # the next attempt observes first
        except EffectPreviouslyFailedError as exc:
            self.say(f"{order}: needs a person: {exc.cached_error['message']}")
            job.rename(job.with_suffix(".failed"))
            return
        job.unlink(missing_ok=True)  # done, now or before, by this worker or another

    def say(self, text: str) -> None:
        """Tell what happens, at once."""
        print(f"{self.verity.agent_id}: {text}", flush=True)


async def work(name: str, directory: Path, seconds: float) -> None:
    """A worker process: it finds the ledger through VERITY_BASE_URL and VERITY_API_KEY."""
    async with AsyncVerityClient(namespace="shipping", agent_id=name) as verity:
        worker = Worker(verity, Carrier(directory / "books", seconds=seconds), directory)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop.set)
        await worker.run()
        worker.say("told to stop, and stopped")


def main() -> None:
    """Two workers, three jobs."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "books").touch()
        for order in ("order_1", "order_2", "order_3"):
            (directory / f"{order}.job").touch()

        with EmbeddedPlatform(directory / "quatrain.db") as platform:
            environment = {**os.environ, **platform.env}
            with started("worker-1", directory, 60.0, environment) as slow:
                hear(slow, "order_1: shipping")
                with started("worker-2", directory, 0.1, environment) as quick:
                    hear(quick, "order_3: shipped")
                    slow.send_signal(signal.SIGSTOP)  # as if its machine were put to sleep
                    hear(quick, "order_1: shipped")  # once the first worker's lease has run out
                    slow.send_signal(signal.SIGCONT)
                    hear(slow, "order_1: stopped in the middle")
                    for worker in (slow, quick):
                        worker.send_signal(signal.SIGTERM)
                        hear(worker, "told to stop")
        shipped = sorted((directory / "books").read_text().split())
        print(f"The carrier's books: {', '.join(shipped)}.")


@contextlib.contextmanager
def started(
    name: str, directory: Path, seconds: float, environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A worker whose carrier takes *seconds* for a label; it does not outlive the block."""
    command = [sys.executable, __file__, name, str(directory), str(seconds)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def hear(worker: subprocess.Popen[str], text: str) -> None:
    """Pass on what the worker says, until it says *text*."""
    assert worker.stdout is not None
    for line in worker.stdout:
        print(line, end="", flush=True)
        if text in line:
            return
    raise SystemExit(f"a worker ended without saying {text!r}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(work(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
    else:
        main()
